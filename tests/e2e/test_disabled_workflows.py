"""A disabled workflow: its triggers start nothing, and whoever starts it by hand is not kept from it."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.e2e.client import Client, Document, Published, step_of
from tests.e2e.steps import Step, define, of_type, transform
from tests.product import wait_for

Publish = Callable[..., Published]

ECHO = define(transform("a"), output={"got": "{{ input }}"})
WAITING = define(of_type("wait", "go", {"signal": "go"}))


def enable(client: Client, workflow_id: str, *, enabled: bool) -> None:
    """Enable or disable a workflow."""
    path = f"/v1/workflows/{workflow_id}"
    etag = client.http.get(path).headers["etag"]
    answer = client.http.patch(path, json={"enabled": enabled}, headers={"if-match": etag})
    assert (answer.status_code, answer.json()["enabled"]) == (200, enabled), answer.text


def call(workflow_id: str) -> Step:
    """A step that runs the workflow."""
    return of_type("workflow", "sub", {"workflow_id": workflow_id, "input": 7})


def accepted(answer: httpx.Response) -> str:
    """The run that was accepted."""
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["run_id"]
    return run_id


def test_the_hook_of_a_disabled_workflow_is_not_found_until_it_is_enabled(
    client: Client, publish_workflow: Publish
) -> None:
    workflow = publish_workflow(ECHO)
    assert httpx.post(workflow.hook, json={}).status_code == 202
    enable(client, workflow.id, enabled=False)
    refusal = httpx.post(workflow.hook, json={})
    assert (refusal.status_code, refusal.json()["code"]) == (404, "not_found")
    enable(client, workflow.id, enabled=True)
    assert httpx.post(workflow.hook, json={}).status_code == 202


def test_whoever_starts_a_disabled_workflow_by_hand_is_let(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(ECHO)
    by_hook = httpx.post(workflow.hook, json={}).json()["run_id"]
    assert client.wait_for_end(by_hook)["status"] == "succeeded"
    enable(client, workflow.id, enabled=False)
    run = client.finish(workflow.id, {"input": 1})
    assert (run["status"], run["output"]) == ("succeeded", {"got": 1})
    assert client.finish(workflow.id, {"input": 2, "version": 1})["output"] == {"got": 2}
    for origin in (by_hook, run["id"]):
        again = accepted(client.http.post(f"/v1/runs/{origin}/rerun", json={"version": "latest"}))
        assert client.wait_for_end(again)["status"] == "succeeded"
    tested = accepted(client.http.post(f"/v1/workflows/{workflow.id}/test", json={"input": 3}))
    assert client.wait_for_end(tested)["output"] == {"got": 3}
    caller = client.finish(publish_workflow(define(call(workflow.id))).id)
    assert (caller["status"], step_of(caller, "sub")["output"]) == ("succeeded", {"got": 7})


def test_runs_of_a_workflow_that_is_disabled_go_on(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(WAITING)
    run_id = client.start(workflow.id)
    client.wait_for_status(run_id, "waiting")
    enable(client, workflow.id, enabled=False)
    assert client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}).status_code == 202
    assert client.wait_for_end(run_id)["status"] == "succeeded"
    cancelled = client.start(workflow.id)
    assert client.http.post(f"/v1/runs/{cancelled}/cancel").status_code == 202
    client.wait_for_end(cancelled)
    accepted(client.http.post(f"/v1/runs/{cancelled}/retry"))
    wait_for(lambda: client.run(cancelled)["status"] == "waiting", what="the retried run waits")


def test_the_events_of_others_start_no_disabled_workflow(client: Client, publish_workflow: Publish) -> None:
    watched = publish_workflow(ECHO)
    listeners = [publish_workflow(ECHO) for _ in range(2)]
    for listener in listeners:
        body: Document = {"type": "event", "config": {"event": "run.succeeded", "workflow_id": watched.id}}
        answer = client.http.post(f"/v1/workflows/{listener.id}/triggers", json=body)
        assert answer.status_code == 201, answer.text
    enable(client, listeners[0].id, enabled=False)
    run = client.finish(watched.id)

    def find(workflow_id: str) -> list[Any]:
        runs: list[Any] = client.read("/v1/runs", workflow_id=workflow_id)["items"]
        return runs

    wait_for(lambda: find(listeners[1].id) or None, what=f"run that the end of {run['id']} starts")
    # Both heard of the same event at the same moment.
    assert find(listeners[0].id) == []
