"""Where the time of a run and of its steps went, and why each step stands as it does: told from the run alone."""

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.e2e.client import Client, Document, step_of
from tests.e2e.steps import ONCE, condition, define, delay, foreach, http, of_type, transform
from tests.e2e.target import Reply, Target
from tests.product import Product, in_time, wait_for

Finish = Callable[..., Document]
# What a part may have in excess, in milliseconds: the machine is not ours alone.
SLACK = 700
PARTS = ("queued_ms", "limited_ms", "running_ms", "backing_off_ms", "waiting_ms", "ended_ms")


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product whose worker makes two requests at a time."""
    return start_product(settings={"FLOWFORGE_HTTP_MAX_IN_FLIGHT": "2"})


@pytest.fixture
def finish(client: Client) -> Finish:
    """Publish a definition, run it with an input, and give the run at its end."""
    return lambda definition, given=None: client.finish(client.publish(definition).id, {"input": given or {}})


def assert_adds_up(time: Document) -> None:
    """The parts are all of the whole, and none is negative."""
    assert time.keys() == {"total_ms", *PARTS}
    assert sum(time[part] for part in PARTS) == time["total_ms"]
    assert min(time.values()) >= 0


def excess(least: float, *times: float) -> float:
    """By how much the longest of these times is more than what all of them are at least."""
    assert min(times) >= least
    return max(times) - least


def milliseconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() * 1000


def test_each_part_of_a_run_is_told_and_they_add_up_to_all_of_it(finish: Finish, target: Target) -> None:
    target.plan("/slow", Reply(delay=0.3))
    definition = define(
        http("slow", target.base + "/slow"),
        http("flaky", target.base + "/flaky", retry={"initial": 0.4, "jitter": False}, after=["slow"]),
        delay("pause", 0.5, after=["flaky"]),
        transform("last", after=["pause"]),
    )

    def measure_excess() -> float:
        target.plan("/flaky", Reply(status=503), Reply())
        run = finish(definition)
        time = run["time"]
        assert_adds_up(time)
        assert time["total_ms"] == pytest.approx(milliseconds(run["created_at"], run["finished_at"]), abs=1)
        assert time["ended_ms"] == 0
        slow, flaky, pause = (step_of(run, step)["time"] for step in ("slow", "flaky", "pause"))
        for step in (slow, flaky, pause):
            assert_adds_up(step)
        assert slow["running_ms"] <= slow["total_ms"]
        assert flaky["backing_off_ms"] <= flaky["total_ms"]
        assert pause["waiting_ms"] == pause["total_ms"]
        assert step_of(run, "last")["time"]["total_ms"] == 0
        ran = excess(300, time["running_ms"], slow["running_ms"], slow["total_ms"])
        backed_off = excess(400, time["backing_off_ms"], flaky["backing_off_ms"], flaky["total_ms"])
        waited = excess(500, time["waiting_ms"], pause["waiting_ms"])
        return max(ran, backed_off, waited, excess(0, time["limited_ms"]))

    in_time(measure_excess, SLACK)


def test_while_anything_runs_the_run_counts_as_running(client: Client, target: Target) -> None:
    hold = target.hold("/slow")
    target.plan("/flaky", Reply(status=503), Reply())
    definition = define(
        http("slow", target.base + "/slow"),
        delay("pause", 0.3),
        http("flaky", target.base + "/flaky", retry={"initial": 0.3, "jitter": False}),
    )
    run_id = client.start(client.publish(definition).id)
    target.wait("/slow")

    def others_are_done() -> bool:
        return {step["status"] for step in client.run(run_id)["steps"] if step["id"] != "slow"} == {"succeeded"}

    wait_for(others_are_done, what="end of the steps beside the slow one")
    hold.released.set()
    time = client.wait_for_end(run_id)["time"]
    assert_adds_up(time)
    assert time["running_ms"] >= 300
    assert (time["waiting_ms"], time["backing_off_ms"]) == (0, 0)


def test_the_time_of_a_run_that_goes_on_is_told_up_to_now(client: Client, target: Target) -> None:
    hold = target.hold("/held")
    run_id = client.start(client.publish(define(http("held", target.base + "/held"))).id)
    target.wait("/held")
    times = [client.run(run_id)["time"] for _ in range(3)]
    for time in times:
        assert_adds_up(time)
    totals = [time["total_ms"] for time in times]
    assert totals == sorted(totals)
    hold.released.set()
    run = client.wait_for_end(run_id)
    assert_adds_up(run["time"])
    assert run["time"]["total_ms"] >= totals[-1]


def test_the_time_between_an_end_and_the_retry_belongs_to_neither(client: Client, target: Target) -> None:
    target.plan("/flaky", Reply(status=404), Reply())
    definition = define(delay("pause", 0.2), http("flaky", target.base + "/flaky", after=["pause"], retry=ONCE))
    run = client.finish(client.publish(definition).id)
    assert run["status"] == "failed"
    assert client.finish(client.publish(define(delay("a_moment", 0.3))).id)["status"] == "succeeded"
    assert client.http.post(f"/v1/runs/{run['id']}/retry").is_success
    again = wait_for(lambda: seen if (seen := client.run(run["id"]))["status"] == "succeeded" else None, what="retry")
    assert_adds_up(again["time"])
    assert again["time"]["ended_ms"] >= 300
    assert again["time"]["waiting_ms"] == run["time"]["waiting_ms"]


def test_what_a_limit_of_the_worker_holds_back_is_told(client: Client, target: Target) -> None:
    holds = [target.hold(f"/held/{n}") for n in range(3)]
    calls = [http(f"call{n}", f"{target.base}/held/{n}") for n in range(3)]
    run_id = client.start(client.publish(define(*calls)).id)
    wait_for(lambda: len(target.received()) == 2, what="two requests")

    def find_held_back() -> Document | None:
        steps: list[Document] = client.run(run_id)["steps"]
        return next((step for step in steps if step["reason"] == "held_back"), None)

    held_back = wait_for(find_held_back, what="step that is held back")
    assert held_back["status"] == "running"
    assert "A limit of the worker holds its attempt back" in held_back["explanation"]
    # From the beginning on: it takes over a second until that is told.
    assert_adds_up(held_back["time"])
    assert held_back["time"]["limited_ms"] >= 1000
    assert held_back["time"]["limited_ms"] + held_back["time"]["queued_ms"] == held_back["time"]["total_ms"]
    for hold in holds:
        hold.released.set()
    run = client.wait_for_end(run_id)
    assert_adds_up(run["time"])
    time = step_of(run, held_back["id"])["time"]
    assert_adds_up(time)
    assert time["limited_ms"] >= 1000
    assert step_of(run, held_back["id"])["attempts"][0]["queued_ms"] >= 1000


def test_the_time_of_a_loop_covers_its_items(client: Client, finish: Finish, target: Target) -> None:
    target.plan("/slow", Reply(delay=0.2))

    def measure_excess() -> float:
        run = finish(define(foreach("each", "[1, 2, 3]", http("call", target.base + "/slow"), concurrency=1)))
        each = step_of(run, "each")["time"]
        assert_adds_up(each)
        assert_adds_up(run["time"])
        assert run["time"]["running_ms"] >= 600
        items = client.read(f"/v1/runs/{run['id']}/steps", parent="each")["items"]
        for item in items:
            assert_adds_up(item["steps"][0]["time"])
        return max(
            excess(600, each["total_ms"]), excess(200, *(item["steps"][0]["time"]["running_ms"] for item in items))
        )

    in_time(measure_excess, SLACK)


def test_every_step_says_why_it_ran_or_was_skipped_with_the_value_that_decided_it(finish: Finish) -> None:
    expression = "input.total > 100"
    definition = define(
        condition("large", expression),
        transform("yes", after=["large.true"]),
        transform("no", after=["large.false"]),
        transform("after_no", after=["no"]),
        of_type("switch", "size", {"cases": {"huge": "input.total > 900", "some": "input.total > 10"}}),
        transform("some", after=["size.some"]),
        transform("never", after=["large.false", "size.huge"], x=1),
        transform("on_error", after=["yes.error"]),
        of_type("transform", "together", {"values": {}}, after=["yes", "no"], join="any"),
        of_type("transform", "nothing", {"values": {}}, after=["no", "size.huge"], join="any"),
    )
    run = finish(definition, {"total": 150})
    said = {step["id"]: step["explanation"] for step in run["steps"]}
    taken = f"the condition of 'large' (`{expression}`) was true"
    assert said == {
        "large": f"It started with the run, as it waits for no other step. The{taken[3:]}.",
        "yes": f"It ran because {taken}. It succeeded: its work is done.",
        "no": f"It was skipped because it waits for 'large.false', and {taken}.",
        "after_no": "It was skipped because it waits for 'no', and 'no' was skipped, "
        f"which waits for 'large.false', and {taken}.",
        "size": "It started with the run, as it waits for no other step. "
        "The case 'some' of 'size' (`input.total > 10`) is the first true one.",
        "some": "It ran because the case 'some' of 'size' (`input.total > 10`) is the first true one. "
        "It succeeded: its work is done.",
        "never": f"It was skipped because it waits for 'large.false', and {taken}.",
        "on_error": "It was skipped because it waits for 'yes.error', and 'yes' succeeded.",
        "together": "It ran because 'yes' succeeded. It succeeded: its work is done.",
        "nothing": "It was skipped because no entry of its `after` was satisfied: 'no' was skipped and "
        "the case 'some' of 'size' (`input.total > 10`) is the first true one.",
    }


def test_every_step_says_why_it_waits_is_tried_again_failed_or_was_cancelled(client: Client, target: Target) -> None:
    hold = target.hold("/held")
    target.plan("/broken", Reply(status=503))
    retry = {"max_attempts": 2, "initial": 60, "jitter": False}
    definition = define(
        http("held", target.base + "/held"),
        transform("later", after=["held"]),
        http("again", target.base + "/broken", retry=retry),
        delay("pause", 60),
        of_type("wait", "signal", {"signal": "paid"}),
        of_type("approval", "ask", {"message": "Ship it?", "timeout": 60}),
        condition("check", "input.gone > 1"),
        transform("rescue", after=["check.error"]),
        of_type("fail", "stop", {"message": "enough"}, after=["held"]),
    )
    run_id = client.start(client.publish(definition).id, {"input": {"here": 1}})
    target.wait("/held")

    def explain() -> Document | None:
        steps = client.run(run_id)["steps"]
        retrying = next(step for step in steps if step["id"] == "again")["status"] == "retrying"
        return {step["id"]: step["explanation"] for step in steps} if retrying else None

    said = wait_for(explain, what="step that is tried again")
    assert said["later"] == "It waits for 'held'."
    assert "It waits until 20" in said["pause"]
    assert "It waits for the signal 'paid'" in said["signal"]
    assert "It waits for a decision on 'Ship it?', until 20" in said["ask"]
    assert "Attempt 1 failed" in said["again"]
    assert "503" in said["again"]
    assert "the next one is due 20" in said["again"]
    assert "It failed, as an expression of the step failed" in said["check"]
    assert "gone" in said["check"]
    assert said["rescue"].startswith("It ran because 'check' failed (")
    assert "gone" in said["rescue"]
    hold.released.set()
    run = client.wait_for_end(run_id)
    said = {step["id"]: step["explanation"] for step in run["steps"]}
    assert said["stop"] == "It ran because 'held' succeeded. It failed, as the step is there to fail: enough."
    cancelled = "It started with the run, as it waits for no other step. It was cancelled: the run failed."
    assert {said[step] for step in ("again", "pause", "signal", "ask")} == {cancelled}


def test_a_step_of_a_run_that_has_not_started_says_so(client: Client, target: Target) -> None:
    hold = target.hold("/held")
    settings = {"concurrency": {"key": "one"}}
    workflow = client.publish(define(http("held", target.base + "/held"), settings=settings))
    first = client.start(workflow.id)
    target.wait("/held")
    second = client.start(workflow.id)
    run = wait_for(lambda: seen if (seen := client.run(second))["reason"] == "concurrency" else None, what="held run")
    assert run["steps"][0]["explanation"] == "The run has not started."
    hold.released.set()
    assert client.wait_for_end(first)["status"] == "succeeded"
    run = client.wait_for_end(second)
    assert_adds_up(run["time"])
    assert run["time"]["limited_ms"] > 0
