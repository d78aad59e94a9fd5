"""Attempts that are broken off, whatever ends them: each is kept with its number and times, and the numbers go on."""

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.e2e.client import Client, Document, Published, statuses_of, step_of
from tests.e2e.steps import ONCE, Step, define, foreach, http, of_type
from tests.e2e.target import Hold, Reply, Target
from tests.product import TRIES, wait_for

Publish = Callable[..., Published]


def held(target: Target, step_id: str = "held", *, after: list[str] | None = None) -> Step:
    """A step whose target answers when the test lets it: until then nothing but the test ends its attempt."""
    return http(step_id, f"{target.base}/{step_id}", after=after, timeout=600, retry=ONCE)


def cancel(client: Client, run_id: str) -> Document:
    assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    return client.wait_for_end(run_id)


def retry(client: Client, run_id: str) -> None:
    assert client.http.post(f"/v1/runs/{run_id}/retry").status_code == 202


def list_attempts(step: Document) -> list[tuple[int, str, str]]:
    """Of each attempt its number, status and reason; all of them have a beginning and an end, in order."""
    moments = [
        datetime.fromisoformat(attempt[moment])
        for attempt in step["attempts"]
        for moment in ("started_at", "finished_at")
    ]
    assert moments == sorted(moments)
    return [(attempt["number"], attempt["status"], attempt["reason"]) for attempt in step["attempts"]]


def list_numbers(target: Target, path: str) -> list[int]:
    """The numbers that the target was told, as they came; all requests were made under one key."""
    received = target.received(path)
    assert len({request.key for request in received}) <= 1
    return [int(request.headers["x-flowforge-attempt"]) for request in received]


def check_times(run: Document, step: Document) -> None:
    """The step's time and the run's add up, and there is no less of it than the attempts took."""
    taken = sum(
        (datetime.fromisoformat(each["finished_at"]) - datetime.fromisoformat(each["started_at"])).total_seconds()
        for each in step["attempts"]
    )
    for spent in (run["time"], step["time"]):
        assert spent["total_ms"] == sum(ms for part, ms in spent.items() if part != "total_ms")
        assert spent["running_ms"] >= int(taken * 1000) - len(step["attempts"])


@pytest.mark.parametrize("is_long", [False, True], ids=["at once", "after a second"])
def test_an_attempt_that_a_cancel_breaks_off_is_kept_and_the_next_has_the_next_number(
    client: Client, publish_workflow: Publish, target: Target, is_long: bool
) -> None:
    hold = target.hold("/held")
    workflow = publish_workflow(define(http("first", target.base + "/first"), held(target, after=["first"])))
    run_id = client.start(workflow.id)
    target.wait("/held")
    if is_long:
        wait_for(
            lambda: any(event["type"] == "step.started" for event in client.events(run_id)),
            what="sign in the journal that the attempt takes long",
        )
    run = cancel(client, run_id)
    step = step_of(run, "held")
    assert (step["status"], step["reason"], step["error"]) == ("cancelled", "run_cancelled", None)
    assert list_attempts(step) == [(1, "cancelled", "run_cancelled")]
    (attempt,) = step["attempts"]
    assert (attempt["started_at"], attempt["finished_at"]) == (step["started_at"], step["finished_at"])
    assert step["finished_at"] == run["finished_at"]
    assert step["explanation"] == "It ran because 'first' succeeded. Attempt 1 was broken off: the run was cancelled."
    check_times(run, step)
    hold.released.set()
    retry(client, run_id)
    again = client.wait_for_status(run_id, "succeeded")
    step = step_of(again, "held")
    assert list_attempts(step) == [(1, "cancelled", "run_cancelled"), (2, "succeeded", "completed")]
    assert list_numbers(target, "/held") == [1, 2]
    check_times(again, step)
    assert step["time"]["ended_ms"] > 0


def test_an_attempt_that_the_failure_of_the_run_breaks_off_is_kept(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold, gate = target.hold("/held"), target.hold("/gate")
    target.plan("/broken", Reply(status=404), Reply())
    definition = define(
        held(target),
        held(target, "gate"),
        http("broken", target.base + "/broken", after=["gate"], retry=ONCE),
        http("last", target.base + "/last", after=["held", "broken"]),
    )
    run_id = client.start(publish_workflow(definition).id)
    target.wait("/held")
    target.wait("/gate")
    gate.released.set()
    run = client.wait_for_end(run_id)
    assert run["status"] == "failed"
    assert statuses_of(run) == {"held": "cancelled", "gate": "succeeded", "broken": "failed", "last": "cancelled"}
    step = step_of(run, "held")
    assert list_attempts(step) == [(1, "cancelled", "run_failed")]
    assert step["explanation"] == (
        "It started with the run, as it waits for no other step. Attempt 1 was broken off: the run failed."
    )
    assert step_of(run, "last")["attempts"] == []
    check_times(run, step)
    hold.released.set()
    retry(client, run_id)
    again = client.wait_for_status(run_id, "succeeded")
    assert list_attempts(step_of(again, "held")) == [(1, "cancelled", "run_failed"), (2, "succeeded", "completed")]
    assert list_attempts(step_of(again, "broken")) == [(1, "failed", "not_retryable"), (2, "succeeded", "completed")]
    assert (list_numbers(target, "/held"), list_numbers(target, "/broken")) == ([1, 2], [1, 2])


def test_an_attempt_that_the_timeout_of_the_run_breaks_off_is_kept(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold = target.hold("/held")
    workflow = publish_workflow(define(held(target), settings={"timeout": "{{ run.attempt > 1 ? 3600 : 2 }}"}))
    # On a machine that is busy for so long, a run times out before its step has begun.
    for _ in range(TRIES):
        run = client.finish(workflow.id)
        assert run["status"] == "timed_out"
        step = step_of(run, "held")
        if step["attempts"]:
            break
    assert list_attempts(step) == [(1, "cancelled", "run_timed_out")]
    assert step["explanation"].endswith("Attempt 1 was broken off: the run timed out.")
    check_times(run, step)
    assert step["time"]["running_ms"] >= 1000
    before = len(target.received("/held"))
    hold.released.set()
    retry(client, run["id"])
    again = client.wait_for_status(run["id"], "succeeded")
    assert list_attempts(step_of(again, "held")) == [(1, "cancelled", "run_timed_out"), (2, "succeeded", "completed")]
    (last,) = target.received("/held")[before:]
    assert last.headers["x-flowforge-attempt"] == "2"


@pytest.mark.parametrize("is_handled", [False, True], ids=["fails the run", "is handled"])
def test_attempts_of_items_that_another_item_breaks_off_are_kept(
    client: Client, publish_workflow: Publish, target: Target, is_handled: bool
) -> None:
    gate = target.hold("/open/2")
    holds = [target.hold(f"/get/{item}") for item in (0, 1)]
    target.plan("/get/2", Reply(status=404), Reply())
    body = (
        http("open", target.base + "/open/{{ item }}", timeout=600),
        http("get", target.base + "/get/{{ item }}", after=["open"], timeout=600, retry=ONCE),
    )
    loop = foreach("each", "[0, 1, 2]", *body, on_item_error="fail")
    rescue = [http("rescue", target.base + "/rescue", after=["each.error"])] if is_handled else []
    run_id = client.start(publish_workflow(define(loop, *rescue)).id)
    for item in (0, 1):
        target.wait(f"/get/{item}")
    target.wait("/open/2")
    gate.released.set()
    run = client.wait_for_end(run_id)
    assert (run["status"], step_of(run, "each")["status"]) == ("succeeded" if is_handled else "failed", "failed")

    def list_items() -> list[list[tuple[int, str, str]]]:
        items = client.read(f"/v1/runs/{run_id}/steps", parent="each")["items"]
        return [list_attempts(item["steps"][1]) for item in items]

    broken_off, failed = (1, "cancelled", "loop_failed"), (1, "failed", "not_retryable")
    assert list_items() == [[broken_off], [broken_off], [failed]]
    if is_handled:
        return
    for hold in holds:
        hold.released.set()
    retry(client, run_id)
    client.wait_for_status(run_id, "succeeded")
    done = (2, "succeeded", "completed")
    assert list_items() == [[broken_off, done], [broken_off, done], [failed, done]]
    assert [list_numbers(target, f"/get/{item}") for item in (0, 1, 2)] == [[1, 2], [1, 2], [1, 2]]
    assert [list_numbers(target, f"/open/{item}") for item in (0, 1, 2)] == [[1], [1], [1]]


def test_a_run_that_is_cancelled_while_a_step_backs_off_has_no_attempt_to_break_off(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/broken", Reply(status=500), Reply())
    rule = {"max_attempts": 2, "initial": 3600, "max": 3600, "jitter": False}
    run_id = client.start(publish_workflow(define(http("call", target.base + "/broken", retry=rule))).id)
    wait_for(lambda: step_of(client.run(run_id), "call")["status"] == "retrying", what="attempt that failed")
    run = cancel(client, run_id)
    step = step_of(run, "call")
    assert list_attempts(step) == [(1, "failed", "status")]
    assert step["explanation"].endswith("It was cancelled: the run was cancelled.")
    assert step["time"]["backing_off_ms"] > 0
    check_times(run, step)
    retry(client, run_id)
    again = client.wait_for_status(run_id, "succeeded")
    assert list_attempts(step_of(again, "call")) == [(1, "failed", "status"), (2, "succeeded", "completed")]
    assert list_numbers(target, "/broken") == [1, 2]


def test_numbers_go_on_over_timeouts_of_the_step_cancels_and_retries(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/slow")
    rule = {"max_attempts": 100, "initial": 0, "jitter": False}
    slow = http("slow", target.base + "/slow", timeout=0.3, retry=rule)
    run_id = client.start(publish_workflow(define(slow)).id)
    known = 0
    for _ in range(3):
        target.wait("/slow", known + 2)
        attempts = list_attempts(step_of(cancel(client, run_id), "slow"))
        numbers = [number for number, _, _ in attempts]
        assert numbers == list(range(1, len(numbers) + 1))
        told = list_numbers(target, "/slow")
        # One that is broken off may be so before its request was on its way, or has arrived.
        assert len(told) == len(set(told))
        assert set(told) <= set(numbers)
        known = len(told)
        retry(client, run_id)
    target.plan("/slow", Reply())
    again = client.wait_for_status(run_id, "succeeded")
    attempts = list_attempts(step_of(again, "slow"))
    assert [number for number, _, _ in attempts] == list(range(1, len(attempts) + 1))
    assert [attempt for attempt in attempts if attempt[1] == "succeeded"] == [(len(attempts), "succeeded", "completed")]
    told = list_numbers(target, "/slow")
    assert len(told) == len(set(told))
    assert max(told) == len(attempts)


def test_attempts_of_a_run_that_another_started_are_kept_when_that_one_ends(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/held", Hold(), Reply())
    child = publish_workflow(define(held(target)), name="Child")
    call = of_type("workflow", "call", {"workflow_id": child.id})
    parent_id = client.start(publish_workflow(define(call)).id)
    target.wait("/held")
    (started,) = wait_for(lambda: client.run(parent_id)["children"], what="run that the step started")
    parent = cancel(client, parent_id)
    assert (step_of(parent, "call")["status"], step_of(parent, "call")["attempts"]) == ("cancelled", [])
    assert step_of(parent, "call")["explanation"].endswith("It was cancelled: the run was cancelled.")
    ended = client.wait_for_end(started["run_id"])
    assert (ended["status"], ended["reason"]) == ("cancelled", "parent_ended")
    assert list_attempts(step_of(ended, "held")) == [(1, "cancelled", "run_cancelled")]
    retry(client, parent_id)
    again = client.wait_for_status(parent_id, "succeeded")
    (first, second) = again["children"]
    assert first == {"run_id": started["run_id"], "step": "call", "status": "cancelled"}
    # It is another run: its steps have keys and numbers of their own.
    assert list_attempts(step_of(client.run(second["run_id"]), "held")) == [(1, "succeeded", "completed")]
    assert len({request.key for request in target.received("/held")}) == 2
