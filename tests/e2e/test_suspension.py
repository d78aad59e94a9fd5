"""Long waits: the run leaves the worker's memory, and goes on in time."""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.e2e.client import Client, step_of
from tests.e2e.database import Database
from tests.e2e.steps import condition, define, delay, http
from tests.e2e.target import Reply, Target
from tests.product import Product, wait_for

DELAY_SECONDS = 2.0


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, allowed_targets: dict[str, str]) -> Iterator[Product]:
    """A product that keeps no wait of over half a second in memory."""
    settings = {**allowed_targets, "FLOWFORGE_SUSPEND_AFTER_SECONDS": "0.5"}
    running = Product(tmp_path_factory.mktemp("suspending") / "data", settings=settings)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def client(product: Product) -> Iterator[Client]:
    with closing(Client(product.url)) as opened:
        yield opened.sign_in()


@pytest.fixture(scope="module")
def database(product: Product) -> Database:
    return Database(lambda: product.run["postgres"]["url"])


def row_of(database: Database, run_id: str) -> dict[str, Any]:
    statement = "SELECT status, owner, wake_at FROM run WHERE id = $1"
    return database.fetch(statement, uuid.UUID(run_id))[0]


def wait_until_suspended(client: Client, database: Database, run_id: str) -> dict[str, Any]:
    client.wait_for_status(run_id, "waiting")
    return wait_for(
        lambda: row if (row := row_of(database, run_id))["owner"] is None else None, what="suspended run", seconds=5
    )


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
    assert DELAY_SECONDS <= after.at - target.answered_at("/before") < DELAY_SECONDS + 1
    assert before.trace_id == after.trace_id
    assert row_of(database, run_id)["owner"] is None


def test_a_short_wait_stays_in_memory(client: Client, database: Database) -> None:
    run_id = client.start(client.publish(define(delay("pause", 0.45))).id)
    client.wait_for_status(run_id, "waiting")
    rows = [row_of(database, run_id)]
    while rows[-1]["status"] == "waiting":
        rows.append(row_of(database, run_id))
    assert all(row["owner"] is not None for row in rows if row["status"] == "waiting")
    assert client.wait_for_end(run_id)["status"] == "succeeded"


def test_a_suspended_run_is_cancelled_within_five_seconds(client: Client, database: Database) -> None:
    run_id = client.start(client.publish(define(delay("pause", 3600))).id)
    wait_until_suspended(client, database, run_id)
    assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    run = client.wait_for_end(run_id, seconds=5)
    assert (run["status"], step_of(run, "pause")["reason"]) == ("cancelled", "run_cancelled")
    assert database.fetch("SELECT * FROM inbox WHERE run_id = $1", uuid.UUID(run_id)) == []


def test_a_suspended_run_is_timed_out_by_its_own_timeout(client: Client, database: Database) -> None:
    definition = define(delay("pause", 3600), settings={"timeout": 1.5})
    began = time.monotonic()
    run_id = client.start(client.publish(definition).id)
    wait_until_suspended(client, database, run_id)
    run = client.wait_for_end(run_id, seconds=5)
    assert (run["status"], step_of(run, "pause")["reason"]) == ("timed_out", "run_timed_out")
    assert 1.5 <= time.monotonic() - began < 4


def test_a_long_backoff_is_no_wait_and_is_kept(client: Client, target: Target) -> None:
    target.plan("/flaky", Reply(status=503), Reply())
    retry = {"max_attempts": 2, "initial": 1, "jitter": False}
    run = client.finish(client.publish(define(http("call", target.base + "/flaky", retry=retry))).id)
    assert run["status"] == "succeeded"
    first, second = target.received("/flaky")
    assert 1 <= second.at - first.at < 2
    assert "run.waiting" not in {event["type"] for event in client.events(run["id"])}


def test_of_two_delays_the_run_wakes_up_for_each(client: Client, target: Target) -> None:
    definition = define(
        delay("short", 0.8),
        delay("long", 1.6),
        http("first", target.base + "/first", after=["short"]),
        http("second", target.base + "/second", after=["long"]),
        condition("both", "true", after=["first", "second"]),
    )
    run = client.finish(client.publish(definition).id)
    assert run["status"] == "succeeded"
    (first,), (second,) = target.received("/first"), target.received("/second")
    assert 0.7 <= second.at - first.at < 2


def test_many_suspended_runs_wake_up_in_time(client: Client, target: Target) -> None:
    steps = [delay("pause", 1.5), http("after", target.base + "/after", after=["pause"])]
    workflow = client.publish(define(*steps))
    run_ids = [client.start(workflow.id) for _ in range(40)]
    runs = [client.wait_for_end(run_id) for run_id in run_ids]
    assert {run["status"] for run in runs} == {"succeeded"}
    requests = target.received("/after")
    assert len(requests) == len({request.key for request in requests}) == 40
