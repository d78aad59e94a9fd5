"""Sudden death of single processes: nothing accepted is lost, and the outside sees one idempotency key a step."""

import os
import signal
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import httpx
import pytest
import redis

from tests.e2e.client import Client, Published, step_of
from tests.e2e.database import Database
from tests.e2e.steps import define, delay, http
from tests.e2e.target import Reply, Reset, Target
from tests.product import PATIENCE_SECONDS, Product, wait_for

BURST = 60
Seen = TypeVar("Seen")


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product of two workers whose processes die here."""
    return start_product(workers=2)


@pytest.fixture
def workflow(client: Client, target: Target) -> Published:
    """Two calls with a delay between them, each of which tells which delivery it is for."""
    with_ = {"json": {"n": "{{ trigger.body.n }}"}}
    return client.publish(
        define(
            http("first", target.base + "/first", method="POST", with_=with_),
            delay("pause", 0.5, after=["first"]),
            http("second", target.base + "/second", method="POST", with_=with_, after=["pause"]),
        )
    )


def deliver_stubbornly(client: Client, hook: str, number: int, delivery: str) -> str:
    """Deliver as a real sender does: again under the same name until it is accepted. Gives the run."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = client.http.post(hook, json={"n": number}, headers={"webhook-id": delivery})
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.is_success:
            run_id: str = answer.json()["run_id"]
            return run_id
        assert answer is None or answer.status_code == 503, answer.text
        assert time.monotonic() < deadline, "the delivery was not accepted in time"
        time.sleep(0.05)


def patiently(look: Callable[[], Seen], *, seconds: float = PATIENCE_SECONDS) -> Seen:
    """What the API says, over the moments when it cannot answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return look()
        except (httpx.TransportError, AssertionError):
            assert time.monotonic() < deadline, f"no answer within {seconds} s"
            time.sleep(0.1)


def read_seqs(client: Client, run_id: str) -> list[int]:
    """The seqs of the journal of a run that has succeeded."""
    client.wait_for_status(run_id, "succeeded")
    return [event["seq"] for event in client.events(run_id)]


def assert_done(client: Client, target: Target, run_ids: list[str]) -> None:
    """Every run has succeeded, its journal has no gap, and each of its steps used one key."""
    for run_id in run_ids:
        seqs = patiently(partial(read_seqs, client, run_id))
        assert seqs == list(range(1, len(seqs) + 1))
    for path in ("/first", "/second"):
        keys: dict[int, set[str]] = {}
        for request in target.received(path):
            keys.setdefault(request.json["n"], set()).add(request.key)
        assert set(keys) == set(range(len(run_ids)))
        assert {len(each) for each in keys.values()} == {1}
        assert len(set.union(*keys.values())) == len(run_ids)


@pytest.mark.parametrize("victim", ["workers", "relay", "api", "postgres", "redis"])
def test_a_kill_in_the_middle_of_a_burst_loses_nothing(
    product: Product, client: Client, target: Target, workflow: Published, victim: str
) -> None:
    deliveries = [uuid.uuid4().hex for _ in range(BURST)]
    run_ids = []
    for number, delivery in enumerate(deliveries):
        if number == BURST // 2:
            product.kill(victim)
        run_ids.append(deliver_stubbornly(client, workflow.hook, number, delivery))
    assert len(set(run_ids)) == BURST
    assert_done(client, target, run_ids)
    again = [deliver_stubbornly(client, workflow.hook, n, delivery) for n, delivery in enumerate(deliveries[:5])]
    assert again == run_ids[:5]


def test_a_step_whose_worker_dies_is_called_again_with_the_same_key(
    product: Product, client: Client, target: Target
) -> None:
    target.hold("/held")
    definition = define(
        http("before", target.base + "/before"),
        http("held", target.base + "/held", method="POST", after=["before"]),
        http("after", target.base + "/after", after=["held"]),
    )
    run_id = client.start(client.publish(definition).id)
    target.wait("/held")
    target.plan("/held", Reply(value={"ok": True}))
    product.kill("workers")
    run = client.wait_for_status(run_id, "succeeded")
    assert step_of(run, "held")["output"]["body"] == {"ok": True}
    first, second = target.received("/held")
    assert first.key == second.key
    assert first.trace_id == second.trace_id
    assert len(target.received("/before")) == len(target.received("/after")) == 1


def test_waits_survive_the_death_of_their_worker_and_are_never_early(
    product: Product, client: Client, target: Target
) -> None:
    target.plan("/flaky", Reset(), Reply())
    definition = define(
        http("before", target.base + "/before"),
        delay("pause", 2, after=["before"]),
        http("after", target.base + "/after", after=["pause"]),
        http("flaky", target.base + "/flaky", retry={"max_attempts": 3, "initial": 2, "jitter": False}),
    )
    run_id = client.start(client.publish(definition).id)
    target.wait("/before")
    target.wait("/flaky")
    wait_for(lambda: len(client.events(run_id)) >= 5, what="journalled waits")
    product.kill("workers")
    assert client.wait_for_status(run_id, "succeeded")["attempt"] == 1
    (after,), (first, second) = target.received("/after"), target.attempts("/flaky")
    assert after.at - target.answered_at("/before") >= 2
    assert second.at - first.at >= 2
    assert first.key == second.key
    assert [request.headers["x-flowforge-attempt"] for request in (first, second)] == ["1", "2"]


def test_a_cancel_outlives_the_worker_that_should_have_heard_it(
    product: Product, client: Client, target: Target
) -> None:
    target.hold("/held")
    run_id = client.start(client.publish(define(http("held", target.base + "/held"))).id)
    target.wait("/held")
    product.kill("workers")
    assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    run = client.wait_for_status(run_id, "cancelled")
    assert step_of(run, "held")["reason"] == "run_cancelled"


def test_a_run_that_takes_every_worker_with_it_is_given_up(client: Client, database: Database, target: Target) -> None:
    hold = target.hold("/deadly")
    run_id = client.start(client.publish(define(http("deadly", target.base + "/deadly"))).id)
    statement = "SELECT worker.pid FROM run JOIN worker ON worker.id = run.owner WHERE run.id = $1"
    for number in range(1, 4):
        target.wait("/deadly", number)
        (owner,) = database.fetch(statement, uuid.UUID(run_id))
        os.kill(owner["pid"], signal.SIGKILL)
    run = client.wait_for_status(run_id, "failed")
    hold.released.set()
    assert (run["error"]["code"], run["reason"]) == ("worker_crashed", "worker_crashed")
    assert len(target.received("/deadly")) == 3


def test_the_loss_of_all_of_redis_loses_nothing(
    product: Product, client: Client, target: Target, workflow: Published
) -> None:
    run_ids = []
    with redis.Redis.from_url(product.run["redis"]["url"]) as server:
        for number in range(BURST):
            run_ids.append(deliver_stubbornly(client, workflow.hook, number, uuid.uuid4().hex))
            if number % 10 == 5:
                server.flushall()
    assert_done(client, target, run_ids)


def test_a_stream_of_the_workspace_says_reset_after_redis_lost_everything(
    product: Product, client: Client, workflow: Published
) -> None:
    with client.stream("/v1/stream") as frames:
        deliver_stubbornly(client, workflow.hook, 0, uuid.uuid4().hex)
        seen = next(frames)
    with redis.Redis.from_url(product.run["redis"]["url"]) as server:
        server.flushall()
    with client.stream("/v1/stream", seen.id) as frames:
        assert next(frames).event == "reset"


def test_the_stream_of_a_run_outlives_the_death_of_redis(product: Product, client: Client, target: Target) -> None:
    target.hold("/held")
    steps = [http("held", target.base + "/held"), delay("pause", 0.2, after=["held"])]
    run_id = client.start(client.publish(define(*steps)).id)
    target.wait("/held")
    with client.stream(f"/v1/runs/{run_id}/stream") as frames:
        next(frames)
        product.kill("redis")
        target.release_all()
        came = list(frames)
    assert came[-1].event == "run.succeeded"
