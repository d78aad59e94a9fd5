"""`http` steps and the targets that they meet: statuses, redirects, bodies, and targets that must not be called."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, step_of
from tests.e2e.steps import ONCE, define, http
from tests.e2e.target import Answer, Reply, Reset, Rubbish, Target

Publish = Callable[..., Published]
Call = Callable[..., Document]
JSON_TYPE = {"content-type": "application/json"}


@pytest.fixture
def call(client: Client, publish_workflow: Publish) -> Call:
    """Run a workflow of one `http` step, which has one try, and give the step."""

    def run_step(url: str, **more: Any) -> Document:
        run = client.finish(publish_workflow(define(http("call", url, **{"retry": ONCE, **more}))).id)
        step = step_of(run, "call")
        assert run["status"] == step["status"]
        return step

    return run_step


@pytest.mark.parametrize(
    ("expect", "status", "is_success"),
    [
        (None, 200, True),
        (None, 204, True),
        (None, 304, True),
        (None, 404, False),
        (404, 404, True),
        (404, 200, False),
        ([200, 404], 404, True),
        ("4xx", 418, True),
        (["2xx", 409], 409, True),
        ("2xx", 304, False),
        (500, 500, True),
    ],
)
def test_a_status_is_a_success_or_not_as_expected(
    call: Call, target: Target, expect: Any, status: int, is_success: bool
) -> None:
    target.plan("/", Reply(status=status, raw=b""))
    with_ = {} if expect is None else {"expect_status": expect}
    step = call(target.base + "/", with_=with_)
    assert step["status"] == ("succeeded" if is_success else "failed")
    if is_success:
        assert step["output"]["status"] == status
    else:
        assert (step["error"]["code"], step["error"]["status"]) == ("http_status", status)
        if expect is not None:
            assert step["error"]["message"].endswith(f"; expected {expect}")


def test_the_request_is_sent_as_configured(call: Call, target: Target) -> None:
    with_ = {
        "query": {"a": "x y", "n": 7, "list": [1, 2], "none": None},
        "headers": {"X-Custom": "ü".encode().decode("latin-1"), "Accept": "text/plain"},
        "json": {"text": "Grüße", "nested": [{"deep": True}, None]},
    }
    call(target.base + "/send?first=1", method="PUT", with_=with_)
    (request,) = target.received("/send")
    assert request.method == "PUT"
    assert (request.query["first"], request.query["a"], request.query["n"]) == ("1", "x y", "7")
    assert "none" not in request.query
    assert request.headers["accept"] == "text/plain"
    assert request.headers["content-type"] == "application/json"
    assert request.json == with_["json"]


@pytest.mark.parametrize(
    ("with_", "content_type", "body"),
    [
        ({"form": {"a": "x y", "b": ["1", "2"]}}, "application/x-www-form-urlencoded", b"a=x+y&b=1&b=2"),
        ({"body": "Grüße"}, "text/plain; charset=utf-8", "Grüße".encode()),
        ({"body": {"base64": "AP8="}}, "application/octet-stream", b"\x00\xff"),
        ({"body": "<a/>", "headers": {"content-type": "application/xml"}}, "application/xml", b"<a/>"),
        ({"json": None}, "application/json", b"null"),
    ],
    ids=["form", "text", "bytes", "xml", "null"],
)
def test_each_kind_of_body_is_sent(call: Call, target: Target, with_: Document, content_type: str, body: bytes) -> None:
    assert call(target.base + "/send", method="POST", with_=with_)["status"] == "succeeded"
    (request,) = target.received("/send")
    assert (request.headers["content-type"], request.body) == (content_type, body)


def test_the_idempotency_key_may_be_overridden(call: Call, target: Target) -> None:
    call(target.base + "/send", method="POST", with_={"headers": {"idempotency-key": "order-{{ 3 + 4 }}"}})
    assert [request.key for request in target.received("/send")] == ["order-7"]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Reply(value={"n": 1}), {"n": 1}),
        (Reply(raw=b"plain", headers={"content-type": "text/plain"}), "plain"),
        (Reply(raw=b"\x00\xff", headers={"content-type": "image/png"}), {"base64": "AP8="}),
        (Reply(raw=b"", headers=JSON_TYPE), None),
        (Reply(raw=b'"a \\u0000 NUL"', headers=JSON_TYPE), "a \0 NUL"),
        (
            Reply(raw=b"12345678901234567890123", headers=JSON_TYPE),
            12345678901234567890123.0,
        ),
    ],
    ids=["json", "text", "bytes", "empty", "NUL", "a very long integer"],
)
def test_each_kind_of_answer_is_kept(call: Call, target: Target, answer: Reply, body: Any) -> None:
    target.plan("/get", answer)
    step = call(target.base + "/get")
    assert (step["status"], step["output"]["body"]) == ("succeeded", body)
    assert step["output"]["elapsed_ms"] >= 0
    assert "date" in step["output"]["headers"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(Reply(raw=b"{broken", headers=JSON_TYPE), "invalid_json_response", id="broken json"),
        pytest.param(Reply(raw=b"[" * 5000, headers=JSON_TYPE), "invalid_json_response", id="deep json"),
        pytest.param(Reply(raw=b"x" * 1_100_000), "response_too_large", id="too large"),
        pytest.param(Reset(), "connection_reset", id="reset"),
        pytest.param(Rubbish(b"SSH-2.0-OpenSSH_9.6\r\n"), "invalid_response", id="no http"),
        pytest.param(Rubbish(b""), "connection_reset", id="closed"),
        pytest.param(Reply(delay=5), "timeout", id="silence"),
    ],
)  # fmt: skip
def test_a_target_that_answers_badly_fails_the_step_with_a_code_and_a_sentence(
    call: Call, target: Target, answer: Answer, code: str
) -> None:
    target.plan("/bad", answer)
    step = call(target.base + "/bad", timeout=0.5 if code == "timeout" else 30)
    assert (step["status"], step["error"]["code"]) == ("failed", code)
    assert "127.0.0.1" in step["error"]["message"]
    assert step["attempts"][0]["error"] == step["error"]


def test_a_target_that_refuses_fails_the_step(call: Call, refusing_port: int) -> None:
    step = call(f"http://127.0.0.1:{refusing_port}/")
    assert step["error"]["code"] == "connection_failed"
    assert "refused" in step["error"]["message"]


def test_a_name_without_an_address_fails_the_step(call: Call) -> None:
    assert call("http://no-such-host.invalid/")["error"]["code"] == "dns_failed"


def test_redirects_are_followed_three_times_at_most(call: Call, target: Target) -> None:
    for number in range(4):
        target.plan(f"/{number}", Reply(status=302, raw=b"", headers={"Location": f"{target.base}/{number + 1}"}))
    step = call(target.base + "/1")
    assert (step["status"], step["output"]["status"]) == ("succeeded", 200)
    assert [request.path[-2:] for request in target.received()] == ["/1", "/2", "/3", "/4"]
    assert len({request.key for request in target.received()}) == 1
    assert call(target.base + "/0")["error"]["code"] == "too_many_redirects"


def test_without_redirects_the_redirect_is_the_answer(call: Call, target: Target) -> None:
    target.plan("/here", Reply(status=302, raw=b"", headers={"Location": "/there"}))
    step = call(target.base + "/here", with_={"redirects": 0})
    assert (step["output"]["status"], step["output"]["headers"]["location"]) == (302, "/there")
    assert target.received("/there") == []


@pytest.fixture
def forbidden() -> Iterator[socket.socket]:
    """A private target that listens and that the setting does not name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def assert_untouched(listener: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_a_private_target_that_is_not_allowed_is_never_connected_to(
    call: Call, forbidden: socket.socket, host: str
) -> None:
    step = call(f"http://{host}:{forbidden.getsockname()[1]}/", retry={"max_attempts": 4})
    assert step["status"] == "failed"
    assert step["error"]["code"] in ("egress_blocked", "invalid_url")
    assert len(step["attempts"]) == 1
    assert_untouched(forbidden)


def test_a_redirect_to_a_target_that_is_not_allowed_is_not_followed(
    call: Call, target: Target, forbidden: socket.socket
) -> None:
    address = f"http://127.0.0.1:{forbidden.getsockname()[1]}/"
    target.plan("/here", Reply(status=307, raw=b"", headers={"Location": address}))
    assert call(target.base + "/here")["error"]["code"] == "egress_blocked"
    assert_untouched(forbidden)


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::1]:9/"])
def test_other_private_addresses_are_refused_at_once(call: Call, url: str) -> None:
    assert call(url)["error"]["code"] == "egress_blocked"
