"""What is delivered to a hook: bodies of every kind, sizes, and deliveries that come twice."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.client import Client, Deliver, Published, assert_problem
from tests.e2e.database import Database
from tests.e2e.steps import condition, define

Publish = Callable[..., Published]
ECHO = define(condition("always", "true"), output="{{ trigger.body }}")
LIMIT = 200_000
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def echo(publish_workflow: Publish) -> Published:
    """A workflow whose output is the body that came."""
    return publish_workflow(ECHO, name="Echo")


def nested(levels: int, inside: str = "1") -> str:
    return "[" * levels + inside + "]" * levels


@pytest.mark.parametrize(
    ("content_type", "body", "kept"),
    [
        pytest.param("application/json", '{"a": [1, 2.5, "ü", null]}', {"a": [1, 2.5, "ü", None]}, id="json"),
        pytest.param("application/vnd.shop+json", "[1]", [1], id="json of another name"),
        pytest.param("text/plain", "Hello, Größe", "Hello, Größe", id="text"),
        pytest.param("application/xml", "<a><b/></a>", "<a><b/></a>", id="xml"),
        pytest.param("application/json", '{"a": ', '{"a": ', id="broken json"),
        pytest.param("application/json", "", None, id="nothing"),
        pytest.param("application/json", '"one \\u0000 NUL"', "one \0 NUL", id="NUL in json"),
        pytest.param("text/plain", "one \0 NUL", "one \0 NUL", id="NUL in text"),
        pytest.param("application/json", nested(60), json.loads(nested(60)), id="nested as deeply as it may be"),
        pytest.param("application/json", "18446744073709551615", 18446744073709551615, id="the largest integer"),
        pytest.param(FORM, "a=x+y&b=1&b=2&c=", {"a": "x y", "b": ["1", "2"], "c": ""}, id="form"),
        pytest.param(FORM.title() + "; charset=utf-8", "n=%C3%BC", {"n": "ü"}, id="form in capitals"),
    ],
)
def test_a_body_is_kept_as_what_it_is(
    client: Client, echo: Published, deliver: Deliver, content_type: str, body: str, kept: Any
) -> None:
    answer = deliver(echo.hook, body.encode(), content_type=content_type)
    assert answer.status_code == 202, answer.text
    run = client.wait_for_end(answer.json()["run_id"])
    assert run["trigger"]["body"] == kept
    assert run["status"] == "succeeded"
    assert run["output"] == kept


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"n": 123456789012345678901234567890}', id="an integer beyond 64 bits"),
        pytest.param('{"n": 1e999}', id="a number beyond doubles"),
        pytest.param('{"s": "\\ud800"}', id="half a surrogate pair"),
    ],
)
def test_a_body_that_json_allows_and_we_cannot_count_is_taken_or_refused(
    client: Client, echo: Published, deliver: Deliver, body: str
) -> None:
    answer = deliver(echo.hook, body.encode())
    if answer.status_code == 202:
        assert client.wait_for_end(answer.json()["run_id"])["status"] == "succeeded"
    else:
        assert 400 <= answer.status_code < 500, answer.text


def test_bytes_that_are_no_text_are_accepted(client: Client, echo: Published, deliver: Deliver) -> None:
    answer = deliver(echo.hook, b"\xff\xfe\x00\x80", content_type="application/octet-stream")
    assert answer.status_code == 202, answer.text
    run = client.wait_for_end(answer.json()["run_id"])
    assert (run["status"], isinstance(run["output"], str)) == ("succeeded", True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(nested(1000), id="arrays"),
        pytest.param('{"a":' * 1000 + "1" + "}" * 1000, id="objects"),
        pytest.param("[" * 100_000, id="only opening brackets"),
        pytest.param('{"a":' * 30_000, id="only opening braces"),
    ],
)
def test_a_body_that_is_nested_too_deeply_is_refused(echo: Published, deliver: Deliver, body: str) -> None:
    assert_problem(deliver(echo.hook, body.encode()), 400, "malformed_body")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", FORM, "multipart/form-data; boundary=x"])
def test_a_text_with_many_brackets_is_a_text(
    client: Client, echo: Published, deliver: Deliver, content_type: str
) -> None:
    answer = deliver(echo.hook, nested(1000), content_type=content_type)
    assert answer.status_code == 202, answer.text
    run = client.wait_for_end(answer.json()["run_id"])
    assert (run["status"], run["output"]) == ("succeeded", {nested(1000): ""} if content_type == FORM else nested(1000))


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_above_the_limit_is_refused(client: Client, echo: Published, is_chunked: bool) -> None:
    largest, larger = json.dumps("x" * (LIMIT - 2)).encode(), json.dumps("x" * (LIMIT - 1)).encode()
    for body, status in ((largest, 202), (larger, 413)):
        content: Any = iter([body[:1000], body[1000:]]) if is_chunked else body
        answer = client.http.post(echo.hook, content=content)
        assert answer.status_code == status, answer.text
    assert_problem(answer, 413, "payload_too_large")


def test_the_query_and_the_method_are_kept_and_credentials_are_not(
    client: Client, echo: Published, deliver: Deliver
) -> None:
    answer = deliver(
        echo.hook + "?a=1&b=2&b=3&c=", "{}", authorization="Bearer abc", cookie="a=b", x_custom="Grüße".encode()
    )
    trigger = client.run(answer.json()["run_id"])["trigger"]
    assert trigger["query"] == {"a": "1", "b": ["2", "3"], "c": ""}
    assert trigger["method"] == "POST"
    assert "x-custom" in trigger["headers"]
    assert not {"authorization", "cookie"} & trigger["headers"].keys()


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", {"id": 7}), ("POST", {"id": 7})])
def test_each_method_delivers_an_event(
    client: Client, echo: Published, method: str, body: dict[str, Any] | None
) -> None:
    answer = client.http.request(method, echo.hook + "?page=2", json=body)
    assert answer.status_code == 202, answer.text
    run = client.wait_for_end(answer.json()["run_id"])
    assert (run["trigger"]["method"], run["trigger"]["query"]) == (method, {"page": "2"})
    assert (run["status"], run["output"]) == ("succeeded", body)


def test_other_methods_are_refused(client: Client, echo: Published) -> None:
    for method in ("PATCH", "DELETE"):
        answer = client.http.request(method, echo.hook, json={})
        assert_problem(answer, 405, "method_not_allowed")
        assert {"GET", "POST", "PUT"} <= set(answer.headers["allow"].split(", "))


def test_fields_and_files_of_a_multipart_form_are_kept_as_an_object(client: Client, echo: Published) -> None:
    answer = client.http.post(
        echo.hook,
        data={"title": "Größe", "tags": ["a", "b"]},
        files={"note": ("note.txt", "Grüße".encode(), "text/plain"), "raw": ("raw.bin", b"\xff", "a/b")},
    )
    assert answer.status_code == 202, answer.text
    run = client.wait_for_end(answer.json()["run_id"])
    assert (run["status"], run["output"]) == ("succeeded", run["trigger"]["body"])
    assert run["output"] == {
        "title": "Größe",
        "tags": ["a", "b"],
        "note": {
            "filename": "note.txt",
            "content_type": "text/plain",
            "size": 7,
            "encoding": "text",
            "content": "Grüße",
        },
        "raw": {"filename": "raw.bin", "content_type": "a/b", "size": 1, "encoding": "base64", "content": "/w=="},
    }


def test_a_form_with_too_many_fields_is_kept_as_text(client: Client, echo: Published, deliver: Deliver) -> None:
    body = "a=1&" * 10_001
    answer = deliver(echo.hook, body, content_type=FORM)
    assert answer.status_code == 202, answer.text
    assert client.run(answer.json()["run_id"])["trigger"]["body"] == body


@pytest.mark.parametrize("header", ["webhook_id", "X_GitHub_Delivery", "Idempotency_Key"])
def test_each_default_header_names_the_delivery(echo: Published, deliver: Deliver, header: str) -> None:
    first, second, other = (
        deliver(echo.hook, body, **{header: name}) for body, name in (("1", "one"), ("2", "one"), ("1", "two"))
    )
    assert [answer.status_code for answer in (first, second, other)] == [202, 200, 202]
    assert first.json()["run_id"] == second.json()["run_id"] != other.json()["run_id"]


def test_without_a_name_every_delivery_is_a_new_one(echo: Published, deliver: Deliver) -> None:
    answers = [deliver(echo.hook, "{}") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["run_id"] != answers[1].json()["run_id"]


def test_the_same_name_at_another_trigger_is_another_delivery(
    client: Client, echo: Published, deliver: Deliver
) -> None:
    other = client.add_trigger(echo.id, {})["url"]
    answers = [deliver(hook, "{}", webhook_id="one") for hook in (echo.hook, other)]
    assert [answer.status_code for answer in answers] == [202, 202]


def test_a_dedup_key_of_its_own_goes_before_the_headers(publish_workflow: Publish, deliver: Deliver) -> None:
    config = {"dedup_key": "trigger.body.order.id"}
    hook = publish_workflow(ECHO, config=config).hook
    bodies = ['{"order": {"id": 7}, "n": 1}', '{"order": {"id": 7}, "n": 2}', '{"order": {"id": 8}}']
    answers = [deliver(hook, body, webhook_id=uuid.uuid4().hex) for body in bodies]
    assert [answer.status_code for answer in answers] == [202, 200, 202]
    assert answers[0].json()["run_id"] == answers[1].json()["run_id"]


def test_a_dedup_key_that_cannot_be_made_is_refused_with_the_reason(
    publish_workflow: Publish, deliver: Deliver
) -> None:
    hook = publish_workflow(ECHO, config={"dedup_key": "trigger.body.order.id"}).hook
    problem = assert_problem(deliver(hook, '{"id": 7}'), 400, "invalid_request")
    assert "order" in json.dumps(problem["errors"])


@pytest.mark.parametrize("name", ["x" * 5000, "ü ; '\" %00", "' OR 1=1 --"], ids=["long", "strange", "sql"])
def test_any_name_of_a_delivery_works(echo: Published, deliver: Deliver, name: str) -> None:
    first, second = (deliver(echo.hook, "{}", webhook_id=name.encode()) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 200)


def test_concurrent_duplicates_start_one_run(echo: Published, deliver: Deliver, database: Database) -> None:
    delivery = uuid.uuid4().hex
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: deliver(echo.hook, "{}", webhook_id=delivery), range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    rows = database.fetch(
        "SELECT outcome, count(*) AS count FROM inbound_event WHERE dedup_key = $1 GROUP BY 1 ORDER BY 1", delivery
    )
    assert rows == [{"outcome": "duplicate", "count": 49}, {"outcome": "started", "count": 1}]


def test_an_event_of_another_workspace_or_none_is_not_found(client: Client) -> None:
    assert_problem(client.http.get(f"/v1/events/{uuid.uuid4()}"), 404, "not_found")


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"auth": {"type": "github"}}, "/config/auth/secret"),
        ({"auth": {"type": "standard_webhooks", "secret": "whsec_AAAA"}}, "/config/auth/secret"),
        ({"auth": {"type": "magic", "secret": "x" * 20}}, "/config/auth"),
        ({"dedup_key": "trigger.body."}, "/config/dedup_key"),
        ({"dedup_key": "steps.a.output"}, "/config/dedup_key"),
        ({"respond": "maybe"}, "/config/respond"),
        ({"unknown": 1}, "/config/unknown"),
    ],
)
def test_a_trigger_with_a_faulty_config_is_refused_with_a_pointer(
    client: Client, echo: Published, config: dict[str, Any], pointer: str
) -> None:
    answer = client.http.post(f"/v1/workflows/{echo.id}/triggers", json={"type": "webhook", "config": config})
    problem = assert_problem(answer, 400, "invalid_request")
    assert any(fault["pointer"].startswith(pointer) for fault in problem["errors"])
