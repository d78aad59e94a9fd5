"""Retries: what is tried again, when, and what is kept of it."""

from collections.abc import Callable
from datetime import datetime
from email.utils import formatdate
from itertools import pairwise
from time import time
from typing import Any

import pytest

from tests.e2e.client import Client, Published, step_of
from tests.e2e.steps import define, http
from tests.e2e.target import Answer, Reply, Reset, Rubbish, Target
from tests.product import in_time

Publish = Callable[..., Published]
QUICK = {"initial": 0.05, "factor": 1, "jitter": False}


def gaps(target: Target, path: str) -> list[float]:
    """The seconds between the requests to a path."""
    times = [request.at for request in target.received(path)]
    return [later - earlier for earlier, later in pairwise(times)]


def patience_with(answer: Answer) -> float:
    """A timeout that this answer oversteps, or else none whatever the machine does beside it."""
    return 2 if isinstance(answer, Reply) and answer.delay else 30


def test_waits_are_exact_without_jitter(client: Client, publish_workflow: Publish, target: Target) -> None:
    retry = {"max_attempts": 4, "initial": 0.2, "factor": 2, "max": 0.5, "jitter": False}
    workflow = publish_workflow(define(http("call", target.base + "/flaky", retry=retry)))

    def measure_excess() -> float:
        target.plan("/flaky", Reply(status=503), Reply(status=500), Reply(status=502), Reply(value={"ok": True}))
        assert client.finish(workflow.id)["status"] == "succeeded"
        excess = [gap - wait for gap, wait in zip(gaps(target, "/flaky")[-3:], (0.2, 0.4, 0.5), strict=True)]
        assert min(excess) >= 0
        return max(excess)

    in_time(measure_excess, 0.4)


def test_every_attempt_is_kept(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.plan("/flaky", Reply(status=503), Reply(status=500), Reply(status=502), Reply(value={"ok": True}))
    retry = {"max_attempts": 4, "initial": 0.05, "jitter": False}
    run = client.finish(publish_workflow(define(http("call", target.base + "/flaky", retry=retry))).id)
    assert run["status"] == "succeeded"
    call = step_of(run, "call")
    assert call["output"]["body"] == {"ok": True}
    assert [attempt["number"] for attempt in call["attempts"]] == [1, 2, 3, 4]
    assert [attempt["status"] for attempt in call["attempts"]] == ["failed"] * 3 + ["succeeded"]
    assert [(attempt["error"] or {}).get("status") for attempt in call["attempts"]] == [503, 500, 502, None]
    for attempt in call["attempts"]:
        assert attempt["started_at"] <= attempt["finished_at"]
    requests = target.received("/flaky")
    assert len({request.key for request in requests}) == 1
    assert [request.headers["x-flowforge-attempt"] for request in requests] == ["1", "2", "3", "4"]
    assert len({request.trace_id for request in requests}) == 1


def test_the_events_tell_why_and_when_an_attempt_comes_again(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/flaky", Reply(status=503), Reply())
    run = client.finish(publish_workflow(define(http("call", target.base + "/flaky", retry=QUICK))).id)
    (retrying,) = [event for event in client.events(run["id"]) if event["type"] == "step.retrying"]
    data = retrying["data"]
    assert (data["step"], data["attempt"], data["reason"]) == ("call", 1, "status")
    assert data["error"]["status"] == 503
    waited = datetime.fromisoformat(data["retry_at"]) - datetime.fromisoformat(retrying["at"])
    assert waited.total_seconds() == pytest.approx(0.05)


def test_by_default_four_attempts_are_made_with_jitter(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/broken", Reply(status=500))
    workflow = publish_workflow(define(http("call", target.base + "/broken")))

    def measure_excess() -> float:
        run = client.finish(workflow.id)
        call = step_of(run, "call")
        assert (run["status"], len(call["attempts"]), call["reason"]) == ("failed", 4, "attempts_exhausted")
        found = gaps(target, "/broken")[-3:]
        assert min(found) >= 0
        return max(gap - longest for gap, longest in zip(found, (1, 2, 4), strict=True))

    in_time(measure_excess, 0.4)


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_retry_after_is_honoured_where_it_asks_for_more(
    client: Client, publish_workflow: Publish, target: Target, as_date: bool
) -> None:
    workflow = publish_workflow(define(http("call", target.base + "/busy", retry=QUICK)))

    def measure_lateness() -> float:
        # A date has whole seconds.
        moment = int(time()) + 3
        header = formatdate(moment, usegmt=True) if as_date else "1"
        target.plan("/busy", Reply(status=429, headers={"Retry-After": header}), Reply())
        assert client.finish(workflow.id)["status"] == "succeeded"
        first, second = target.received("/busy")[-2:]
        due = moment if as_date else first.at + 1
        assert second.at >= due
        return second.at - max(due, first.at)

    in_time(measure_lateness, 1.1)


def test_a_retry_after_that_is_rubbish_is_ignored(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.plan("/busy", Reply(status=503, headers={"Retry-After": "soon, I hope"}), Reply())
    run = client.finish(publish_workflow(define(http("call", target.base + "/busy", retry=QUICK))).id)
    assert run["status"] == "succeeded"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param(Reply(status=500), "status", id="500"),
        pytest.param(Reply(status=599), "status", id="599"),
        pytest.param(Reply(status=429), "status", id="429"),
        pytest.param(Reset(), "connection", id="reset"),
        pytest.param(Rubbish(b"this is no HTTP\r\n\r\n"), "connection", id="rubbish"),
        pytest.param(Rubbish(b""), "connection", id="closed"),
        pytest.param(Rubbish(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), "connection", id="half a body"),
        pytest.param(Reply(delay=30), "timeout", id="timeout"),
    ],
)
def test_what_may_pass_is_tried_again(
    client: Client, publish_workflow: Publish, target: Target, answer: Answer, cause: str
) -> None:
    target.plan("/flaky", answer, Reply(value={"ok": True}))
    step = http("call", target.base + "/flaky", retry=QUICK, timeout=patience_with(answer))
    run = client.finish(publish_workflow(define(step)).id)
    call = step_of(run, "call")
    assert (run["status"], call["output"]["body"]) == ("succeeded", {"ok": True})
    assert [attempt["status"] for attempt in call["attempts"]] == ["failed", "succeeded"]
    (retrying,) = [event for event in client.events(run["id"]) if event["type"] == "step.retrying"]
    assert retrying["data"]["reason"] == cause
    assert len({request.key for request in target.received("/flaky")}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_what_will_not_pass_is_not_tried_again(
    client: Client, publish_workflow: Publish, target: Target, status: int
) -> None:
    target.plan("/wrong", Reply(status=status))
    run = client.finish(publish_workflow(define(http("call", target.base + "/wrong", retry=QUICK))).id)
    call = step_of(run, "call")
    assert (run["status"], call["reason"], len(call["attempts"])) == ("failed", "not_retryable", 1)
    assert call["error"]["status"] == call["attempts"][0]["error"]["status"] == status
    assert len(target.received("/wrong")) == 1


@pytest.mark.parametrize(
    ("on", "answer", "is_retried"),
    [
        ([404], Reply(status=404), True),
        ([404], Reply(status=500), False),
        (["5xx"], Reply(status=503), True),
        (["5xx"], Reply(status=429), False),
        (["5xx"], Reset(), False),
        (["429"], Reply(status=429), True),
        (["429"], Reply(status=500), False),
        (["connection"], Reset(), True),
        (["connection"], Reply(delay=30), False),
        (["timeout"], Reply(delay=30), True),
        (["timeout", 409], Reply(status=409), True),
        ([], Reply(status=500), False),
    ],
)
def test_retry_on_narrows_what_is_tried_again(
    client: Client, publish_workflow: Publish, target: Target, on: list[Any], answer: Answer, is_retried: bool
) -> None:
    target.plan("/flaky", answer, Reply())
    step = http("call", target.base + "/flaky", retry={**QUICK, "on": on}, timeout=patience_with(answer))
    run = client.finish(publish_workflow(define(step)).id)
    assert len(target.attempts("/flaky")) == (2 if is_retried else 1)
    assert run["status"] == ("succeeded" if is_retried else "failed")


def test_one_attempt_means_none_is_tried_again(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.plan("/broken", Reply(status=500), Reply())
    step = http("call", target.base + "/broken", retry={"max_attempts": 1})
    run = client.finish(publish_workflow(define(step)).id)
    assert (run["status"], len(target.received("/broken"))) == ("failed", 1)


def test_a_retrying_step_counts_as_running(client: Client, publish_workflow: Publish, target: Target) -> None:
    target.plan("/broken", Reply(status=500))
    retry = {"max_attempts": 2, "initial": 30, "jitter": False}
    run_id = client.start(publish_workflow(define(http("call", target.base + "/broken", retry=retry))).id)
    target.wait("/broken")
    run = client.wait_for_status(run_id, "running")
    while step_of(run, "call")["status"] != "retrying":
        run = client.wait_for_status(run_id, "running")
    assert run["status"] == "running"
    call = step_of(run, "call")
    assert call["due_at"] > call["attempts"][0]["finished_at"]
    assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
