"""Hooks whose callers wait for what the run answers."""

import json
import socket
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.client import Client, Deliver, Document, Published, assert_problem
from tests.e2e.database import Database
from tests.e2e.steps import condition, define, foreach, of_type, transform
from tests.product import wait_for

Publish = Callable[..., Published]
SYNC = {"respond": "sync", "respond_timeout": 60}


def respond(configuration: Document, **more: Any) -> Document:
    return of_type("respond", "answer", configuration, **more)


def wait_step(**more: Any) -> Document:
    return of_type("wait", "pause", {"signal": "go"}, **more)


@pytest.mark.parametrize(
    ("configuration", "status", "content_type", "body"),
    [
        pytest.param({}, 200, "text/plain; charset=utf-8", b"", id="nothing"),
        pytest.param(
            {"status": 201, "body": {"id": "{{ trigger.body.id }}"}}, 201, "application/json", b'{"id":7}', id="json"
        ),
        pytest.param({"body": "{{ 'Größe' }}"}, 200, "text/plain; charset=utf-8", "Größe".encode(), id="text"),
        pytest.param(
            {"body": "<p>Hi</p>", "headers": {"Content-Type": "text/html"}}, 200, "text/html", b"<p>Hi</p>", id="html"
        ),
        pytest.param({"status": 404, "body": [1, None]}, 404, "application/json", b"[1,null]", id="not found"),
        pytest.param({"status": 500, "body": "broken"}, 500, "text/plain; charset=utf-8", b"broken", id="an error"),
        pytest.param({"status": 204, "body": "unseen"}, 204, None, b"", id="no content"),
    ],
)
def test_a_waiting_caller_is_answered_by_the_respond_step(
    publish_workflow: Publish,
    deliver: Deliver,
    configuration: Document,
    status: int,
    content_type: str | None,
    body: bytes,
) -> None:
    hook = publish_workflow(define(respond(configuration)), config=SYNC).hook
    answer = deliver(hook, '{"id": 7}')
    assert (answer.status_code, answer.content) == (status, body)
    assert content_type is None or answer.headers["content-type"] == content_type
    assert uuid.UUID(answer.headers["x-flowforge-run-id"])


def test_headers_are_the_workflows_but_for_those_that_protect_the_application(
    publish_workflow: Publish, deliver: Deliver
) -> None:
    headers = {
        "Location": "https://shop.example/ü",
        "X-Order": "{{ trigger.body.id }}",
        "Set-Cookie": "a=b",
        "Content-Security-Policy": "default-src *",
        "Content-Length": "1",
        "Transfer-Encoding": "chunked",
    }
    hook = publish_workflow(define(respond({"status": 303, "headers": headers, "body": "see"})), config=SYNC).hook
    answer = deliver(hook, '{"id": 7}')
    assert (answer.status_code, answer.content) == (303, b"see")
    assert answer.headers["x-order"] == "7"
    assert answer.headers["location"] == "https://shop.example/ü"
    assert "set-cookie" not in answer.headers
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "*" not in answer.headers["content-security-policy"]


def test_the_run_goes_on_after_its_answer(client: Client, publish_workflow: Publish, deliver: Deliver) -> None:
    definition = define(respond({"body": "first"}), wait_step(after=["answer"]))
    answer = deliver(publish_workflow(definition, config=SYNC).hook, "{}")
    run_id = answer.headers["x-flowforge-run-id"]
    assert answer.text == "first"
    client.wait_for_status(run_id, "waiting")
    assert client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}).is_success
    assert client.wait_for_end(run_id)["status"] == "succeeded"


def test_the_first_of_several_answers_wins_even_in_a_loop(publish_workflow: Publish, deliver: Deliver) -> None:
    definition = define(
        foreach("each", "[1, 2, 3]", respond({"body": {"item": "{{ item }}"}}), concurrency=1),
        of_type("respond", "late", {"body": "late"}, after=["each"]),
    )
    answer = deliver(publish_workflow(definition, config=SYNC).hook, "{}")
    assert answer.json() == {"item": 1}


def test_a_large_answer_is_sent_whole(publish_workflow: Publish, deliver: Deliver) -> None:
    definition = define(respond({"body": "{{ trigger.body }}"}))
    body = json.dumps(["x" * 1000] * 150)
    answer = deliver(publish_workflow(definition, config=SYNC).hook, body)
    assert answer.json() == json.loads(body)


def test_a_run_that_ends_without_responding_is_answered_with_its_output(
    publish_workflow: Publish, deliver: Deliver
) -> None:
    definition = define(
        condition("known", "trigger.body.id == 8"),
        respond({"body": "known"}, after=["known.true"]),
        output={"id": "{{ trigger.body.id }}"},
    )
    answer = deliver(publish_workflow(definition, config=SYNC).hook, '{"id": 7}')
    assert answer.status_code == 200
    run_id = answer.headers["x-flowforge-run-id"]
    assert answer.json() == {
        "event_id": answer.headers["x-flowforge-event-id"],
        "run_id": run_id,
        "output": {"id": 7},
    }


def test_a_run_that_fails_before_it_responds_is_a_bad_gateway(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    definition = define(of_type("fail", "stop", {"message": "no stock"}), respond({}, after=["stop"]))
    problem = assert_problem(deliver(publish_workflow(definition, config=SYNC).hook, "{}"), 502, "run_failed")
    assert "no stock" in problem["detail"]
    assert client.run(problem["run_id"])["status"] == problem["run_status"] == "failed"


def test_a_run_that_is_cancelled_before_it_responds_is_a_bad_gateway(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    published = publish_workflow(define(wait_step(), respond({}, after=["pause"])), config=SYNC)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(deliver, published.hook, "{}")
        run_id = wait_for(lambda: _only_run(client, published), what="run")
        assert client.http.post(f"/v1/runs/{run_id}/cancel").is_success
        problem = assert_problem(answer.result(), 502, "run_failed")
    assert (problem["run_id"], problem["run_status"]) == (run_id, "cancelled")


def test_a_caller_who_waits_too_long_is_told_the_run_which_goes_on(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    definition = define(wait_step(), respond({"status": 201}, after=["pause"]))
    hook = publish_workflow(definition, config={"respond": "sync", "respond_timeout": 0.2}).hook
    run_id = assert_problem(deliver(hook, "{}"), 504, "answer_timeout")["run_id"]
    client.wait_for_status(run_id, "waiting")
    assert client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}).is_success
    assert client.wait_for_end(run_id)["status"] == "succeeded"


def test_a_caller_who_hangs_up_does_not_stop_the_run(client: Client, publish_workflow: Publish) -> None:
    published = publish_workflow(define(wait_step(), respond({}, after=["pause"])), config=SYNC)
    address = urlsplit(published.hook)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as caller:
        request = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 2\r\n\r\n{{}}"
        caller.sendall(request.encode())
        run_id = wait_for(lambda: _only_run(client, published), what="run")
        client.wait_for_status(run_id, "waiting")
    assert client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}).is_success
    assert client.wait_for_end(run_id)["status"] == "succeeded"


def test_a_repeat_is_answered_with_the_first_run_without_waiting(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    published = publish_workflow(define(wait_step(), respond({}, after=["pause"])), config=SYNC)
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(deliver, published.hook, "{}", webhook_id="one")
        run_id = wait_for(lambda: _only_run(client, published), what="run")
        repeat = deliver(published.hook, "{}", webhook_id="one")
        assert (repeat.status_code, repeat.json()["run_id"]) == (200, run_id)
        assert client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}).is_success
        assert first.result().headers["x-flowforge-run-id"] == run_id


def test_many_callers_at_once_get_their_own_answers(
    publish_workflow: Publish, deliver: Deliver, database: Database
) -> None:
    published = publish_workflow(define(respond({"body": {"n": "{{ trigger.body.n }}"}})), config=SYNC)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda n: deliver(published.hook, json.dumps({"n": n})), range(100)))
    assert [answer.json() for answer in answers] == [{"n": n} for n in range(100)]
    (row,) = database.fetch("SELECT count(*) AS runs FROM run WHERE workflow_id = $1", uuid.UUID(published.id))
    assert row["runs"] == 100


@pytest.mark.parametrize("seconds", [0, -1, 301, "30"])
def test_a_timeout_that_nobody_can_wait_for_is_refused(
    client: Client, publish_workflow: Publish, seconds: float | str
) -> None:
    workflow_id = publish_workflow(define(transform("nothing"))).id
    body = {"type": "webhook", "config": {"respond": "sync", "respond_timeout": seconds}}
    problem = assert_problem(
        client.http.post(f"/v1/workflows/{workflow_id}/triggers", json=body), 400, "invalid_request"
    )
    assert [fault["pointer"] for fault in problem["errors"]] == ["/config/respond_timeout"]


def _only_run(client: Client, published: Published) -> str | None:
    found = [str(run["id"]) for run in client.read("/v1/runs", workflow_id=published.id)["items"]]
    return found[0] if found else None
