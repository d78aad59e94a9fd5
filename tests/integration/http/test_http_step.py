"""The `http` step against targets that are real: what they see, and what the step makes of their answers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
import pytest

from engine.infra.http_client import HttpClient
from engine.infra.settings import Settings
from engine.steps.base import StepContext, StepFailure
from engine.steps.configuration import parse_config
from engine.steps.registry import get_action
from tests.integration.http.targets import (
    Answer,
    Received,
    answer_echo,
    answer_ok,
    answering,
    redirecting,
    reset,
    serve,
    write_answer,
)

RUN_ID = UUID("01890000-0000-7000-8000-000000000001")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient(Settings(http_allow_private="127.0.0.1")) as client:
        yield client


async def run(client: HttpClient, timeout: float = 5, attempt: int = 1, **config: Any) -> Any:
    step = get_action("http")
    context = StepContext(
        run_id=RUN_ID,
        step_id="fetch",
        attempt=attempt,
        idempotency_key=f"{RUN_ID}:fetch",
        timeout=timeout,
        http=client,
        traceparent=TRACEPARENT,
    )
    output = await step.run(parse_config(step, {"method": "GET", **config}), context)
    assert msgspec.json.decode(msgspec.json.encode(output)) == output
    return output


async def test_output_holds_status_headers_body_and_time(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, 201, {"Content-Type": "application/json", "X-Own": "1"}, b'{"id": 17}')

    async with serve(answer) as target:
        output = await run(client, url=target.url)
    assert output["status"] == 201
    assert output["headers"] == {"content-length": "10", "content-type": "application/json", "x-own": "1"}
    assert output["body"] == {"id": 17}
    assert 0 <= output["elapsed_ms"] < 5_000


async def test_every_request_carries_its_identity(client: HttpClient) -> None:
    async with serve(answer_ok) as target:
        await run(client, url=target.url, attempt=3)
    received = target.received[0]
    assert received.header("idempotency-key") == f"{RUN_ID}:fetch"
    assert received.header("x-flowforge-attempt") == "3"
    assert received.header("traceparent") == TRACEPARENT
    assert str(received.header("user-agent")).startswith("FlowForge/")


async def test_headers_of_the_definition_win_in_any_spelling(client: HttpClient) -> None:
    async with serve(answer_ok) as target:
        await run(
            client,
            url=target.url,
            method="POST",
            json={},
            headers={"IDEMPOTENCY-key": "own", "content-type": "application/vnd.own+json", "X-No": None, "X-N": 5},
        )
    received = target.received[0]
    assert received.header("idempotency-key") == "own"
    assert received.header("content-type") == "application/vnd.own+json"
    assert received.header("x-no") is None
    assert received.header("x-n") == "5"


@pytest.mark.parametrize(
    ("config", "content_type", "body"),
    [
        ({}, None, b""),
        ({"json": {"a": ["ü", None]}}, "application/json", '{"a":["ü",null]}'.encode()),
        ({"json": None}, "application/json", b"null"),
        ({"json": False}, "application/json", b"false"),
        ({"json": ""}, "application/json", b'""'),
        (
            {"form": {"a b": "ü&=", "n": 1, "t": True, "list": ["x", 2.5, None], "none": None}},
            "application/x-www-form-urlencoded",
            b"a+b=%C3%BC%26%3D&n=1&t=true&list=x&list=2.5",
        ),
        ({"form": {}}, "application/x-www-form-urlencoded", b""),
        ({"body": "Grüße"}, "text/plain; charset=utf-8", "Grüße".encode()),
        ({"body": {"base64": "AP8="}}, "application/octet-stream", b"\x00\xff"),
    ],
)
async def test_body_is_sent_as_described(
    client: HttpClient, config: dict[str, Any], content_type: str | None, body: bytes
) -> None:
    async with serve(answer_ok) as target:
        await run(client, method="POST", url=target.url, **config)
    received = target.received[0]
    assert received.body == body
    if content_type is not None:
        assert received.header("content-type") == content_type


@pytest.mark.parametrize(
    ("path", "query", "sent"),
    [
        ("/a", {"x": "1 2", "y": None, "z": [1, True, "ü"]}, "/a?x=1+2&z=1&z=true&z=%C3%BC"),
        ("/a?b=1", {"x": "&"}, "/a?b=1&x=%26"),
        ("/a?", {"x": 1}, "/a?x=1"),
        ("/a#part", {"x": 1}, "/a?x=1"),
        ("/a", {}, "/a"),
    ],
)
async def test_query_is_added_to_the_url(client: HttpClient, path: str, query: dict[str, Any], sent: str) -> None:
    async with serve(answer_ok) as target:
        await run(client, url=target.url + path, query=query)
    assert target.received[0].path.replace("ü", "%C3%BC") == sent


async def test_binary_body_travels_from_step_to_step(client: HttpClient) -> None:
    picture = bytes(range(256))

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.method == "GET":
            write_answer(writer, headers={"Content-Type": "image/png"}, body=picture)
        else:
            await answer_ok(received, writer)

    async with serve(answer) as target:
        download = await run(client, url=target.url)
        await run(client, url=target.url, method="PUT", body=download["body"])
    assert target.received[1].body == picture


@pytest.mark.parametrize(("redirects", "requests"), [(True, 2), (1, 2), (False, 1), (0, 1)])
async def test_redirects_are_followed_as_told(client: HttpClient, redirects: bool | int, requests: int) -> None:
    async with serve(answer_ok) as end, serve(redirecting(end.url)) as target:
        output = await run(client, url=target.url, redirects=redirects)
    assert len(target.received) + len(end.received) == requests
    assert output["status"] == (200 if requests == 2 else 302)


@pytest.mark.parametrize(
    ("status", "is_retryable", "retry_after"), [(404, False, None), (429, True, 7), (500, True, 7), (503, True, 7)]
)
async def test_status_that_is_no_success_fails(
    client: HttpClient, status: int, is_retryable: bool, retry_after: float | None
) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, status, {"Retry-After": "7"} if retry_after else {}, b"not now")

    async with serve(answer) as target:
        with pytest.raises(StepFailure) as raised:
            await run(client, url=target.url)
    failure = raised.value
    assert (failure.code, failure.cause, failure.status) == ("http_status", "status", status)
    assert (failure.retryable, failure.retry_after) == (is_retryable, retry_after)
    assert failure.details["body"] == "not now"


async def test_expected_status_is_a_success(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, 404)

    async with serve(answer) as target:
        assert (await run(client, url=target.url, expect_status=["2xx", 404]))["status"] == 404


async def reset_at_once(_received: Received, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def say_nothing(_received: Received, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def answer_too_much(_received: Received, writer: asyncio.StreamWriter) -> None:
    write_answer(writer, body=bytes(2 << 20))


async def test_attempt_whose_kept_connection_ends_goes_on_under_its_key_and_number(client: HttpClient) -> None:
    async def end_the_second(_received: Received, writer: asyncio.StreamWriter) -> None:
        if len(target.received) == 2:
            writer.close()
        else:
            write_answer(writer, body=b"done")

    async with serve(end_the_second) as target:
        await run(client, url=target.url)
        output = await run(client, url=target.url, method="POST", json={"order": 17}, attempt=3)
    assert (output["status"], output["body"]) == (200, "done")
    _, once, more = target.received
    assert once == more
    assert (more.header("idempotency-key"), more.header("x-flowforge-attempt")) == (f"{RUN_ID}:fetch", "3")
    assert target.connections == 2


@pytest.mark.parametrize(
    ("answer", "code", "cause", "is_retryable"),
    [
        (reset_at_once, "connection_reset", "connection", True),
        (say_nothing, "timeout", "timeout", True),
        (answering(b"SSH-2.0-OpenSSH\r\n\r\n"), "invalid_response", "connection", True),
        (answer_too_much, "response_too_large", None, False),
        (redirecting("/again"), "too_many_redirects", None, False),
        (redirecting("http://10.0.0.1/"), "egress_blocked", None, False),
    ],
)
async def test_failure_says_what_happened_and_whether_it_may_go_away(
    client: HttpClient, answer: Answer, code: str, cause: str | None, is_retryable: bool
) -> None:
    async with serve(answer) as target:
        with pytest.raises(StepFailure) as raised:
            await run(client, url=target.url, timeout=1 if code == "timeout" else 30)
    assert (raised.value.code, raised.value.cause, raised.value.retryable) == (code, cause, is_retryable)


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"url": "http://127.0.0.1/\r\nX-Evil: 1"}, "invalid_url"),
        ({"headers": {"X": "a\r\nX-Evil: 1"}}, "invalid_header"),
        ({"headers": {"Content-Length": "5"}}, "invalid_header"),
        ({"json": "\ud800"}, "invalid_config"),
        ({"body": "\ud800"}, "invalid_config"),
        ({"query": {"a": "\ud800"}}, "invalid_config"),
    ],
)
async def test_values_that_cannot_be_sent_fail_for_good(client: HttpClient, config: dict[str, Any], code: str) -> None:
    async with serve(answer_echo) as target:
        with pytest.raises(StepFailure) as raised:
            await run(client, **{"url": target.url, **config})
    assert (raised.value.code, raised.value.retryable) == (code, False)
    assert target.connections == 0
