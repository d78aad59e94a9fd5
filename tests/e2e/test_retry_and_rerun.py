"""Going on from a failure, and doing a run again: what is kept, what is done, and under which names."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, assert_problem, statuses_of, step_of
from tests.e2e.steps import ONCE, condition, define, delay, foreach, http, of_type, transform
from tests.e2e.target import Reply, Target

Publish = Callable[..., Published]


def retry(client: Client, run_id: str) -> None:
    answer = client.http.post(f"/v1/runs/{run_id}/retry")
    assert (answer.status_code, answer.json()) == (202, {"run_id": run_id}), answer.text


def rerun(client: Client, run_id: str, **body: Any) -> str:
    answer = client.http.post(f"/v1/runs/{run_id}/rerun", json=body)
    assert answer.status_code == 202, answer.text
    started: str = answer.json()["run_id"]
    return started


def types_of(client: Client, run_id: str) -> list[str]:
    return [event["type"] for event in client.events(run_id)]


# Retry.


def test_a_retried_run_keeps_what_succeeded_and_does_the_rest_under_the_same_keys(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/second", Reply(status=500), Reply(status=500), Reply(value={"n": 2}))
    definition = define(
        http("first", target.base + "/first"),
        http("second", target.base + "/second", after=["first"], retry={"max_attempts": 2, "initial": 0.05}),
        http("third", target.base + "/third", after=["second"]),
        output={"n": "{{ steps.second.output.body.n }}", "attempt": "{{ run.attempt }}"},
    )
    run = client.finish(publish_workflow(definition).id)
    assert statuses_of(run) == {"first": "succeeded", "second": "failed", "third": "cancelled"}
    retry(client, run["id"])
    again = client.wait_for_status(run["id"], "succeeded")
    assert (again["attempt"], again["output"], again["error"]) == (2, {"n": 2, "attempt": 2}, None)
    assert len(target.received("/first")) == 1
    calls = target.received("/second")
    assert len({call.key for call in calls}) == 1
    assert [call.headers["x-flowforge-attempt"] for call in calls] == ["1", "2", "3"]
    second = step_of(again, "second")
    assert [attempt["number"] for attempt in second["attempts"]] == [1, 2, 3]
    assert [attempt["status"] for attempt in second["attempts"]] == ["failed", "failed", "succeeded"]
    events = client.events(run["id"])
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("run.started") == 2
    assert again["time"]["total_ms"] == sum(ms for part, ms in again["time"].items() if part != "total_ms")


def test_handled_failures_stay_and_what_was_skipped_because_of_others_runs_again(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/flaky", Reply(status=404))
    target.plan("/broken", Reply(status=404), Reply())
    definition = define(
        http("flaky", target.base + "/flaky"),
        http("rescue", target.base + "/rescue", after=["flaky.error"]),
        http("happy", target.base + "/happy", after=["flaky"]),
        http("broken", target.base + "/broken", after=["rescue"]),
        http("beside", target.base + "/beside", after=["broken.error", "happy"]),
        http("last", target.base + "/last", after=["broken"]),
    )
    run = client.finish(publish_workflow(definition).id)
    # `beside` waits for the failure as well, but is skipped: so nobody has handled it.
    assert statuses_of(run) == {
        "flaky": "failed",
        "rescue": "succeeded",
        "happy": "skipped",
        "broken": "failed",
        "beside": "skipped",
        "last": "cancelled",
    }
    retry(client, run["id"])
    again = client.wait_for_status(run["id"], "succeeded")
    assert statuses_of(again) == {
        "flaky": "failed",
        "rescue": "succeeded",
        "happy": "skipped",
        "broken": "succeeded",
        "beside": "skipped",
        "last": "succeeded",
    }
    assert [len(target.received(path)) for path in ("/flaky", "/rescue", "/broken", "/last")] == [1, 1, 2, 1]


def test_the_timeout_of_a_retried_run_starts_again(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.hold("/slow")
    definition = define(http("slow", target.base + "/slow"), settings={"timeout": 3.0})
    run = client.finish(publish_workflow(definition).id)
    assert (run["status"], run["error"]["code"]) == ("timed_out", "run_timed_out")
    target.plan("/slow", Reply())
    retry(client, run["id"])
    again = client.wait_for_status(run["id"], "succeeded")
    started = [event for event in client.events(run["id"]) if event["type"] == "run.started"]
    deadlines = [datetime.fromisoformat(event["data"]["deadline_at"]) for event in started]
    begins = [datetime.fromisoformat(event["at"]) for event in started]
    assert [(end - begin).total_seconds() for begin, end in zip(begins, deadlines, strict=True)] == [3.0, 3.0]
    assert again["started_at"] == started[1]["at"]
    assert again["time"]["ended_ms"] > 0


def test_a_cancelled_run_goes_on_where_it_was(client: Client, publish_workflow: Publish, target: Target) -> None:
    held = target.hold("/held")
    definition = define(http("first", target.base + "/first"), http("held", target.base + "/held", after=["first"]))
    run_id = client.start(publish_workflow(definition).id)
    target.wait("/held")
    assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    client.wait_for_end(run_id)
    held.released.set()
    target.plan("/held", Reply())
    retry(client, run_id)
    client.wait_for_status(run_id, "succeeded")
    assert [len(target.received(path)) for path in ("/first", "/held")] == [1, 2]


def test_of_two_who_retry_at_once_one_is_refused(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.plan("/a", Reply(status=404))
    run = client.finish(publish_workflow(define(http("a", target.base + "/a"))).id)
    held = target.hold("/a")
    with ThreadPoolExecutor(6) as executor:
        answers = list(executor.map(lambda _n: client.http.post(f"/v1/runs/{run['id']}/retry"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409, 409]
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "run_not_retryable")
    held.released.set()
    assert client.wait_for_status(run["id"], "succeeded")["attempt"] == 2
    assert len(target.received("/a")) == 2


def test_a_run_that_succeeded_or_goes_on_is_not_retried(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    done = client.finish(publish_workflow(define(transform("a", n=1))).id)
    assert_problem(client.http.post(f"/v1/runs/{done['id']}/retry"), 409, "run_not_retryable")
    target.hold("/a")
    run_id = client.start(publish_workflow(define(http("a", target.base + "/a"))).id)
    target.wait("/a")
    assert_problem(client.http.post(f"/v1/runs/{run_id}/retry"), 409, "run_not_retryable")
    assert_problem(client.http.post(f"/v1/runs/{run_id}/rerun", json={}), 409, "run_unfinished")
    client.http.post(f"/v1/runs/{run_id}/cancel")
    client.wait_for_end(run_id)


def test_a_run_can_be_cancelled_right_after_its_retry_and_retried_again(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/a", Reply(status=404))
    run = client.finish(publish_workflow(define(http("a", target.base + "/a"), delay("pause", 30, after=["a"]))).id)
    target.plan("/a", Reply())
    for attempt in (2, 3, 4):
        retry(client, run["id"])
        assert client.http.post(f"/v1/runs/{run['id']}/cancel").status_code == 202
        assert client.wait_for_end(run["id"])["status"] == "cancelled"
        assert client.run(run["id"])["attempt"] == attempt
    assert types_of(client, run["id"]).count("run.cancelled") == 3


def test_a_run_with_a_concurrency_key_waits_for_a_slot_again(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/a", Reply(status=404))
    rule = {"key": "{{ input.customer }}", "limit": 1}
    workflow = publish_workflow(define(http("a", target.base + "/a"), settings={"concurrency": rule}))
    first = client.finish(workflow.id, {"input": {"customer": "c"}})
    assert first["status"] == "failed"
    held = target.hold("/a")
    second = client.start(workflow.id, {"input": {"customer": "c"}})
    target.wait("/a", 2)
    retry(client, first["id"])
    waiting = client.wait_for_status(first["id"], "queued")
    # The slot is the second one's until it ends.
    target_calls = len(target.received("/a"))
    holders: list[str] = []
    while not holders:
        waiting = client.run(first["id"])
        assert waiting["status"] == "queued"
        holders = (waiting["concurrency"] or {}).get("holders", [])
    assert holders == [second]
    assert len(target.received("/a")) == target_calls
    held.released.set()
    target.plan("/a", Reply())
    assert client.wait_for_status(first["id"], "succeeded")["attempt"] == 2
    client.wait_for_status(second, "succeeded")


def test_a_retried_foreach_does_its_broken_items_alone(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/2", Reply(status=404), Reply(value="two"))
    get = http("get", target.base + "/{{ item }}")
    definition = define(
        foreach("each", "[1, 2, 3]", get, concurrency=1),
        output="{{ steps.each.output }}",
    )
    run = client.finish(publish_workflow(definition).id)
    assert run["status"] == "failed"
    retry(client, run["id"])
    again = client.wait_for_status(run["id"], "succeeded")
    assert [item["get"]["status"] for item in again["output"]] == [200, 200, 200]
    assert [len(target.received(f"/{n}")) for n in (1, 2, 3)] == [1, 2, 1]
    assert len({call.key for call in target.received("/2")}) == 1


def test_a_retried_parent_starts_a_child_of_its_own_and_a_retried_child_goes_on_alone(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/child", Reply(status=404))
    child = publish_workflow(define(http("work", target.base + "/child"), output="done"), name="Child")
    definition = define(of_type("workflow", "sub", {"workflow_id": child.id}), output="{{ steps.sub.output }}")
    parent = client.finish(publish_workflow(definition, name="Parent").id)
    assert (parent["status"], parent["error"]["code"]) == ("failed", "child_failed")
    (first,) = parent["children"]
    target.plan("/child", Reply())
    retry(client, first["run_id"])
    finished = client.wait_for_status(first["run_id"], "succeeded")
    assert (finished["attempt"], finished["parent"]["run_id"]) == (2, parent["id"])
    # Its parent has ended, and stays as it is.
    assert client.run(parent["id"])["status"] == "failed"
    retry(client, parent["id"])
    again = client.wait_for_status(parent["id"], "succeeded")
    assert again["output"] == "done"
    children = [each["run_id"] for each in again["children"]]
    assert children[0] == first["run_id"]
    assert len(set(children)) == 2
    assert len(target.received("/child")) == 3


def test_a_stream_of_the_run_goes_on_with_its_next_round(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/a", Reply(status=404), Reply())
    run = client.finish(publish_workflow(define(http("a", target.base + "/a"))).id)
    retry(client, run["id"])
    with client.stream(f"/v1/runs/{run['id']}/stream", last_event_id=str(run["last_seq"])) as frames:
        seen = []
        for frame in frames:
            if frame.id is not None:
                seen.append(frame.event)
            if frame.event == "run.succeeded":
                break
    assert (seen[0], seen[-1]) == ("run.retried", "run.succeeded")


# Rerun.


def test_a_rerun_does_everything_again_under_keys_of_its_own(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    definition = define(http("a", target.base + "/a/{{ input.n }}"), output="{{ input.n }}")
    run = client.finish(publish_workflow(definition).id, {"input": {"n": 1}})
    same = client.wait_for_end(rerun(client, run["id"]))
    other = client.wait_for_end(rerun(client, run["id"], input={"n": 2}))
    assert (same["output"], other["output"]) == (1, 2)
    assert (same["origin_run_id"], other["origin_run_id"]) == (run["id"], run["id"])
    first, second = target.received("/a/1")
    assert first.key != second.key
    assert len(target.received("/a/2")) == 1


def expensive(target: Target, child_id: str) -> Document:
    """A definition with steps of every kind before its last."""
    return define(
        http("fetch", target.base + "/fetch"),
        condition("is", "steps.fetch.output.body.n == 1", after=["fetch"]),
        http("yes", target.base + "/yes", after=["is.true"]),
        http("no", target.base + "/no", after=["is.false"]),
        transform("large", after=["fetch"], text="{{ steps.fetch.output.body.text }}"),
        foreach("each", "[1, 2]", http("get", target.base + "/item/{{ item }}"), after=["large"]),
        of_type("workflow", "sub", {"workflow_id": child_id}, after=["each"]),
        http("flaky", target.base + "/flaky", after=["sub"], retry=ONCE),
        http("rescue", target.base + "/rescue", after=["flaky.error"]),
        http(
            "last",
            target.base + "/last",
            method="POST",
            after=["rescue", "yes"],
            with_={
                "json": {
                    "size": "{{ size(steps.large.output.text) }}",
                    "items": "{{ steps.each.output.size() }}",
                    "child": "{{ steps.sub.output }}",
                    "error": "{{ steps.flaky.error.code }}",
                    "version": "{{ workflow.version }}",
                }
            },
        ),
        output={"last": "{{ steps.last.output.body }}", "no": "{{ steps.no.output }}"},
    )


def test_a_rerun_from_a_step_reads_what_steps_of_every_kind_gave_before(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    text = "x" * 300_000
    target.plan("/fetch", Reply(value={"n": 1, "text": text}))
    target.plan("/flaky", Reply(status=404))
    target.plan("/last", Reply(status=404), Reply(value="done"))
    child = publish_workflow(define(transform("a", n=1), output="{{ steps.a.output.n }}"), name="Child")
    run = client.finish(publish_workflow(expensive(target, child.id)).id)
    assert step_of(run, "last")["status"] == "failed", run
    before = len(target.received())
    again = client.wait_for_end(rerun(client, run["id"], from_step="last"))
    # And once more, from what was taken over.
    third = client.wait_for_end(rerun(client, again["id"], from_step="last"))
    for repeated in (again, third):
        assert (repeated["status"], repeated["output"]) == ("succeeded", {"last": "done", "no": None})
        assert {step["id"]: step["reason"] for step in repeated["steps"] if step["id"] != "last"} == dict.fromkeys(
            ("fetch", "is", "yes", "no", "large", "each", "sub", "flaky", "rescue"), "reused"
        )
        assert step_of(repeated, "large")["output"]["size"] > 300_000
        assert repeated["time"]["total_ms"] == sum(ms for part, ms in repeated["time"].items() if part != "total_ms")
    assert len(target.received()) == before + 2
    bodies = [call.json for call in target.received("/last")]
    assert bodies == [{"size": len(text), "items": 2, "child": 1, "error": "http_status", "version": 1}] * 3


def test_a_rerun_from_within_does_that_step_and_what_follows(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/fetch", Reply(value={"n": 1, "text": "short"}))
    target.plan("/flaky", Reply(status=404))
    child = publish_workflow(define(transform("a", n=1), output="{{ steps.a.output.n }}"), name="Child")
    run = client.finish(publish_workflow(expensive(target, child.id)).id)
    assert run["status"] == "succeeded"
    again = client.wait_for_end(rerun(client, run["id"], from_step="each"))
    assert again["status"] == "succeeded"
    reused = {step["id"] for step in again["steps"] if step["reason"] == "reused"}
    assert reused == {"fetch", "is", "yes", "no", "large"}
    calls = {path: len(target.received(path)) for path in ("/fetch", "/yes", "/item/1", "/item/2", "/flaky", "/last")}
    assert calls == {"/fetch": 1, "/yes": 1, "/item/1": 2, "/item/2": 2, "/flaky": 2, "/last": 2}


def test_a_rerun_that_fails_is_retried_from_where_it_failed(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/c", Reply(status=404), Reply(status=404), Reply())
    definition = define(
        http("a", target.base + "/a"),
        http("b", target.base + "/b", after=["a"]),
        http("c", target.base + "/c", after=["b"]),
    )
    run = client.finish(publish_workflow(definition).id)
    again = client.wait_for_end(rerun(client, run["id"], from_step="b"))
    assert again["status"] == "failed"
    retry(client, again["id"])
    assert client.wait_for_status(again["id"], "succeeded")["attempt"] == 2
    assert [len(target.received(path)) for path in ("/a", "/b", "/c")] == [1, 2, 3]
    assert step_of(client.run(again["id"]), "a")["reason"] == "reused"


@pytest.mark.parametrize("version", ["same", "latest"])
def test_a_rerun_is_of_the_same_version_or_of_the_latest(
    client: Client, publish_workflow: Publish, target: Target, version: str
) -> None:
    def definition(path: str) -> Document:
        return define(
            http("a", target.base + "/a"),
            http("b", target.base + path, after=["a"]),
            http("c", target.base + "/c", after=["b"]),
        )

    workflow = publish_workflow(definition("/old"))
    run = client.finish(workflow.id)
    path = f"/v1/workflows/{workflow.id}"
    etag = client.http.get(path).headers["etag"]
    assert client.http.patch(path, json={"definition": definition("/new")}, headers={"if-match": etag}).is_success
    assert client.http.post(f"{path}/publish").status_code == 201
    again = client.wait_for_end(rerun(client, run["id"], version=version, from_step="c"))
    assert (again["status"], again["version"]) == ("succeeded", 1 if version == "same" else 2)
    # The step that the new version changed comes before the one asked for, and is done all the same.
    calls = [len(target.received(path)) for path in ("/a", "/old", "/new", "/c")]
    assert calls == ([1, 1, 0, 2] if version == "same" else [1, 1, 1, 2])


def test_a_rerun_under_one_key_is_one_run(client: Client, publish_workflow: Publish, target: Target) -> None:
    run = client.finish(publish_workflow(define(http("a", target.base + "/a"))).id)
    headers = {"idempotency-key": f"rerun of {run['id']}"}
    answers = [client.http.post(f"/v1/runs/{run['id']}/rerun", json={}, headers=headers) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    (run_id,) = {answer.json()["run_id"] for answer in answers}
    client.wait_for_status(run_id, "succeeded")
    assert len(target.received("/a")) == 2
