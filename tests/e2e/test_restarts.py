"""The whole product ends, at once or in order, and goes on where it was when `up` comes again."""

import signal
import time
import uuid
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.e2e.client import Client, Published, step_of
from tests.e2e.steps import define, delay, http
from tests.e2e.target import Reply, Target
from tests.product import Product, in_time

DRAIN_SECONDS = 5.0


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product that gives steps in flight little time when it stops."""
    return start_product(settings={"FLOWFORGE_DRAIN_SECONDS": str(DRAIN_SECONDS)})


@pytest.fixture
def workflow(client: Client, target: Target) -> Published:
    return client.publish(
        define(
            http("before", target.base + "/before"),
            http("held", target.base + "/held", method="POST", after=["before"]),
            delay("pause", 0.5, after=["held"]),
            http("after", target.base + "/after", after=["pause"]),
        )
    )


def assert_one_key_a_step(target: Target) -> None:
    for path in ("/before", "/held", "/after"):
        assert len({request.key for request in target.received(path)}) == 1


@pytest.mark.parametrize("whole", [True, False], ids=["with all its children", "alone"])
def test_after_a_kill_of_the_supervisor_everything_accepted_goes_on(
    product: Product, client: Client, target: Target, workflow: Published, whole: bool
) -> None:
    target.hold("/held")
    in_flight = client.start(workflow.id)
    target.wait("/held")
    waiting = client.start(client.publish(define(delay("pause", 3))).id)
    client.wait_for_status(waiting, "waiting")
    due_at = step_of(client.run(waiting), "pause")["due_at"]
    target.plan("/held", Reply())
    # Accepted at the very last moment: nobody has told a worker yet.
    headers = {"webhook-id": uuid.uuid4().hex}
    accepted = client.http.post(workflow.hook, json={}, headers=headers).json()["run_id"]
    product.kill_supervisor(with_children=whole)
    product.start()
    for run_id in (in_flight, accepted, waiting):
        assert client.wait_for_end(run_id)["status"] == "succeeded"
    again = client.http.post(workflow.hook, json={}, headers=headers)
    assert (again.status_code, again.json()["run_id"]) == (200, accepted)
    finished_at = step_of(client.run(waiting), "pause")["finished_at"]
    assert datetime.fromisoformat(finished_at) >= datetime.fromisoformat(due_at)
    for path in ("/before", "/held", "/after"):
        assert len({request.key for request in target.received(path)}) == 2


def test_a_step_in_flight_may_finish_while_the_product_stops(
    product: Product, client: Client, target: Target, workflow: Published
) -> None:
    # It begins before the product is told to stop, and ends within the time that it then gets.
    target.plan("/held", Reply(delay=2.5))
    run_id = client.start(workflow.id)
    target.wait("/held")
    assert product.stop(signal.SIGTERM) == 0
    assert len(target.received("/held")) == 1
    assert target.received("/after") == []
    product.start()
    run = client.wait_for_end(run_id)
    assert run["status"] == "succeeded"
    assert len(target.received("/held")) == 1
    assert_one_key_a_step(target)


def test_a_step_that_takes_too_long_is_handed_over_to_the_next_start(
    product: Product, client: Client, target: Target, workflow: Published
) -> None:
    def measure_stop() -> float:
        seen = len(target.received("/held"))
        target.hold("/held")
        run_id = client.start(workflow.id)
        target.wait("/held", seen + 1)
        target.plan("/held", Reply())
        began = time.monotonic()
        assert product.stop(signal.SIGTERM) == 0
        taken = time.monotonic() - began
        product.start()
        assert client.wait_for_end(run_id)["status"] == "succeeded"
        first, second = target.received("/held")[seen:]
        assert first.key == second.key
        return taken

    in_time(measure_stop, DRAIN_SECONDS + 5)


def test_while_it_stops_streams_end_and_nothing_new_starts(
    product: Product, client: Client, target: Target, workflow: Published
) -> None:
    target.plan("/before", Reply(delay=3))
    run_id = client.start(workflow.id)
    target.wait("/before")
    with client.stream(f"/v1/runs/{run_id}/stream") as frames:
        next(frames)
        assert product.process is not None
        product.process.send_signal(signal.SIGTERM)
        seen = list(frames)
    assert product.stop() == 0
    assert not {"run.succeeded", "run.failed"} & {frame.event for frame in seen}
    assert target.received("/held") == []
    product.start()
    assert client.wait_for_end(run_id)["status"] == "succeeded"
    last_id = next((frame.id for frame in reversed(seen) if frame.id), "1")
    with client.stream(f"/v1/runs/{run_id}/stream", last_id) as frames:
        rest = [frame.data["seq"] for frame in frames if frame.id is not None]
    assert rest == list(range(int(last_id) + 1, len(client.events(run_id)) + 1))
