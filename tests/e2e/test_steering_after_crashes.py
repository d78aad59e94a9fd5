"""Runs that are steered while processes die or stand still: what was accepted happens, and happens once."""

import os
import signal
from collections.abc import Callable
from contextlib import closing
from uuid import UUID

import pytest
import redis

from tests.e2e.client import Client, Document, step_of
from tests.e2e.database import Database
from tests.e2e.steps import define, http, of_type
from tests.e2e.target import Reply, Target
from tests.product import Product, wait_for


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product of two workers whose processes die here."""
    return start_product(workers=2)


def find_owner(database: Database, run_id: str) -> int:
    """The process that drives a run."""
    statement = "SELECT worker.pid FROM run JOIN worker ON worker.id = run.owner WHERE run.id = $1"
    found: int = wait_for(
        lambda: rows[0]["pid"] if (rows := database.fetch(statement, UUID(run_id))) else None, what="owner"
    )
    return found


def post(client: Client, path: str, body: Document | None = None) -> Document:
    answer = client.http.post(path, json=body or {})
    assert answer.is_success, answer.text
    document: Document = answer.json()
    return document


def assert_whole(client: Client, run_id: str) -> list[str]:
    """The kinds of the events of a journal without a gap."""
    events = client.events(run_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return [event["type"] for event in events]


def test_a_retried_run_goes_on_after_the_death_of_its_worker(
    client: Client, database: Database, target: Target
) -> None:
    target.plan("/a", Reply(status=404))
    definition = define(http("first", target.base + "/first"), http("a", target.base + "/a", after=["first"]))
    run = client.finish(client.publish(definition).id)
    held = target.hold("/a")
    post(client, f"/v1/runs/{run['id']}/retry")
    target.wait("/a", 2)
    os.kill(find_owner(database, run["id"]), signal.SIGKILL)
    target.wait("/a", 3)
    held.released.set()
    again = client.wait_for_status(run["id"], "succeeded")
    assert again["attempt"] == 2
    calls = target.received("/a")
    assert len({call.key for call in calls}) == 1
    # The attempt that was broken off is made again under its number.
    assert [call.headers["x-flowforge-attempt"] for call in calls] == ["1", "2", "2"]
    assert [attempt["number"] for attempt in step_of(again, "a")["attempts"]] == [1, 2]
    assert len(target.received("/first")) == 1
    assert assert_whole(client, run["id"]).count("run.retried") == 1


def test_a_worker_that_stood_still_has_no_part_in_the_next_round(
    client: Client, database: Database, target: Target
) -> None:
    held = target.hold("/a")
    run_id = client.start(client.publish(define(http("a", target.base + "/a"))).id)
    target.wait("/a")
    frozen = find_owner(database, run_id)
    os.kill(frozen, signal.SIGSTOP)
    try:
        # Another worker takes the run over, and it fails.
        target.plan("/a", Reply(status=404), Reply(value="second round"))
        assert client.wait_for_end(run_id)["status"] == "failed"
        post(client, f"/v1/runs/{run_id}/retry")
        ended = client.wait_for_status(run_id, "succeeded")
    finally:
        os.kill(frozen, signal.SIGCONT)
    # Its own call is answered now, long after the run has ended.
    held.released.set()
    statement = "SELECT alive FROM worker WHERE pid = $1 ORDER BY id LIMIT 1"
    assert database.fetch(statement, frozen)[0]["alive"] is False
    wait_for(
        lambda: len(database.fetch("SELECT FROM worker WHERE alive AND heartbeat_at > now() - interval '2 s'")) == 2,
        what="two living workers",
    )
    now = client.run(run_id)
    assert (now["status"], now["attempt"], now["last_seq"]) == ("succeeded", 2, ended["last_seq"])
    assert step_of(now, "a")["output"]["body"] == "second round"
    assert len({call.key for call in target.received("/a")}) == 1
    assert_whole(client, run_id)


def test_what_was_accepted_happens_though_redis_forgets_it(client: Client, product: Product, target: Target) -> None:
    target.plan("/a", Reply(status=404))
    wait = of_type("wait", "wait", {"signal": "go"})
    ask = of_type("approval", "ask", {"message": "Go?"})
    waiting = client.start(client.publish(define(wait, output="{{ steps.wait.output }}")).id)
    asking = client.start(client.publish(define(ask)).id)
    stopped = client.start(client.publish(define(wait)).id)
    failed = client.finish(client.publish(define(http("a", target.base + "/a"))).id)["id"]
    done = client.finish(client.publish(define(http("b", target.base + "/b"))).id)["id"]
    for run_id in (waiting, asking, stopped):
        client.wait_for_status(run_id, "waiting")
    (approval,) = client.read("/v1/approvals", run_id=asking)["items"]
    target.plan("/a", Reply())
    # Whatever the relay publishes is lost at once.
    product.kill("relay")
    post(client, f"/v1/runs/{waiting}/signal", {"name": "go", "payload": 7})
    post(client, f"/v1/approvals/{approval['id']}", {"decision": "approved"})
    post(client, f"/v1/runs/{stopped}/cancel")
    post(client, f"/v1/runs/{failed}/retry")
    repeated = post(client, f"/v1/runs/{done}/rerun")["run_id"]
    with closing(redis.Redis.from_url(product.run["redis"]["url"])) as broker:
        broker.flushall()
    assert client.wait_for_end(waiting)["output"] == 7
    assert client.wait_for_end(asking)["status"] == "succeeded"
    assert client.wait_for_end(stopped)["status"] == "cancelled"
    assert client.wait_for_status(failed, "succeeded")["attempt"] == 2
    client.wait_for_status(repeated, "succeeded")
    for run_id in (waiting, asking, stopped, failed, repeated):
        assert_whole(client, run_id)
