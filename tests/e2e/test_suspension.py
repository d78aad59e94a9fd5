"""Long waits: the run leaves the worker's memory, and goes on in time."""

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.e2e.client import Client, Document, step_of
from tests.e2e.database import Database
from tests.e2e.steps import condition, define, delay, http
from tests.e2e.target import Reply, Target
from tests.product import Product, in_time, on_this_machine, wait_for

# Enough for a look at the run while it waits, on a busy machine as well.
DELAY_SECONDS = SUSPENDED_TIMEOUT = 5.0


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product that keeps no wait of over half a second in memory."""
    return start_product(settings={"FLOWFORGE_SUSPEND_AFTER_SECONDS": "0.5"})


def row_of(database: Database, run_id: str) -> dict[str, Any]:
    statement = "SELECT status, owner, wake_at FROM run WHERE id = $1"
    return database.fetch(statement, uuid.UUID(run_id))[0]


def due_at(run: Document, step_id: str, seconds: float) -> datetime:
    """When a delay of so many seconds was due."""
    return datetime.fromisoformat(step_of(run, step_id)["started_at"]) + timedelta(seconds=seconds)


def wait_until_suspended(client: Client, database: Database, run_id: str) -> dict[str, Any]:
    client.wait_for_status(run_id, "waiting")
    return wait_for(lambda: row if (row := row_of(database, run_id))["owner"] is None else None, what="suspended run")


def test_a_long_wait_is_given_up_by_its_worker_and_goes_on_in_time(
    client: Client, database: Database, target: Target
) -> None:
    definition = define(
        http("before", target.base + "/before"),
        delay("pause", DELAY_SECONDS, after=["before"]),
        http("after", target.base + "/after", method="POST", after=["pause"]),
    )
    run_id = client.start(client.publish(definition).id)
    row = wait_until_suspended(client, database, run_id)
    run = client.run(run_id)
    assert (row["status"], run["status"], step_of(run, "pause")["status"]) == ("waiting", "waiting", "waiting")
    assert row["wake_at"] is not None
    assert run["wake_at"] == step_of(run, "pause")["due_at"]
    run = client.wait_for_end(run_id)
    assert run["status"] == "succeeded"
    (before,), (after,) = target.received("/before"), target.received("/after")
    assert after.at - target.answered_at("/before") >= DELAY_SECONDS
    assert before.trace_id == after.trace_id
    assert row_of(database, run_id)["owner"] is None


def test_a_run_that_was_given_up_is_not_late(client: Client, target: Target) -> None:
    definition = define(delay("pause", 1), http("after", target.base + "/after", after=["pause"]))
    workflow = client.publish(definition)

    def measure_lateness() -> float:
        run = client.finish(workflow.id)
        assert run["status"] == "succeeded"
        return target.received("/after")[-1].at - due_at(run, "pause", 1).timestamp()

    in_time(measure_lateness, 1.0)


def test_a_short_wait_stays_in_memory(client: Client, database: Database) -> None:
    workflow = client.publish(define(delay("pause", 0.45)))

    def watch() -> list[dict[str, Any]]:
        """How the run stood while it waited: never, where it was over before anybody could look."""
        run_id = client.start(workflow.id)
        rows = [row_of(database, run_id)]
        while rows[-1]["status"] != "succeeded":
            rows.append(row_of(database, run_id))
        return [row for row in rows if row["status"] == "waiting"]

    seen = wait_for(lambda: watch() or None, what="look at a run that waits")
    assert all(row["owner"] is not None for row in seen)


def test_a_suspended_run_is_cancelled_within_five_seconds(client: Client, database: Database) -> None:
    run_id = client.start(client.publish(define(delay("pause", 3600))).id)
    wait_until_suspended(client, database, run_id)
    assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    run = client.wait_for_end(run_id, seconds=on_this_machine(5))
    assert (run["status"], step_of(run, "pause")["reason"]) == ("cancelled", "run_cancelled")
    assert database.fetch("SELECT * FROM inbox WHERE run_id = $1", uuid.UUID(run_id)) == []


def test_a_suspended_run_is_timed_out_by_its_own_timeout(client: Client, database: Database) -> None:
    workflow = client.publish(define(delay("pause", 3600), settings={"timeout": SUSPENDED_TIMEOUT}))

    def measure() -> float:
        began = time.monotonic()
        run_id = client.start(workflow.id)
        wait_until_suspended(client, database, run_id)
        run = client.wait_for_end(run_id)
        assert (run["status"], step_of(run, "pause")["reason"]) == ("timed_out", "run_timed_out")
        taken = time.monotonic() - began
        assert taken >= SUSPENDED_TIMEOUT
        return taken - SUSPENDED_TIMEOUT

    in_time(measure, 2.5)


def test_a_long_backoff_is_no_wait_and_is_kept(client: Client, target: Target) -> None:
    retry = {"max_attempts": 2, "initial": 1, "jitter": False}
    workflow = client.publish(define(http("call", target.base + "/flaky", retry=retry)))

    def measure_gap() -> float:
        target.plan("/flaky", Reply(status=503), Reply())
        run = client.finish(workflow.id)
        assert run["status"] == "succeeded"
        assert "run.waiting" not in {event["type"] for event in client.events(run["id"])}
        first, second = target.received("/flaky")[-2:]
        assert second.at - first.at >= 1
        return second.at - first.at

    in_time(measure_gap, 2)


def test_of_two_delays_the_run_wakes_up_for_each(client: Client, target: Target) -> None:
    definition = define(
        delay("short", 0.7),
        delay("long", 5),
        http("first", target.base + "/first", after=["short"]),
        http("second", target.base + "/second", after=["long"]),
        condition("both", "true", after=["first", "second"]),
    )
    run = client.finish(client.publish(definition).id)
    assert run["status"] == "succeeded"
    assert len(target.received("/first")) == len(target.received("/second")) == 1
    for step_id, seconds in (("short", 0.7), ("long", 5)):
        assert datetime.fromisoformat(step_of(run, step_id)["finished_at"]) >= due_at(run, step_id, seconds)
    first = datetime.fromisoformat(step_of(run, "first")["started_at"])
    assert first < due_at(run, "long", 5), "it woke up for the first of them"


def test_many_suspended_runs_wake_up_in_time(client: Client, target: Target) -> None:
    steps = [delay("pause", 1.5), http("after", target.base + "/after", after=["pause"])]
    workflow = client.publish(define(*steps))
    run_ids = [client.start(workflow.id) for _ in range(40)]
    runs = [client.wait_for_end(run_id) for run_id in run_ids]
    assert {run["status"] for run in runs} == {"succeeded"}
    requests = target.received("/after")
    assert len(requests) == len({request.key for request in requests}) == 40
