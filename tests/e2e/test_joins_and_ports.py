"""Which steps run: joins, ports, skipping, and failures that are handled or not."""

from collections.abc import Callable

import pytest

from tests.e2e.client import Client, Document, Published, statuses_of, step_of
from tests.e2e.steps import ONCE, condition, define, delay, http
from tests.e2e.target import Reply, Target

Publish = Callable[..., Published]


@pytest.fixture
def finish(client: Client, publish_workflow: Publish) -> Callable[[Document], Document]:
    """Publish a definition, run it, and give the run at its end."""
    return lambda definition: client.finish(publish_workflow(definition).id)


Finish = Callable[[Document], Document]


def test_a_diamond_meets_again_when_both_sides_are_done(finish: Finish, target: Target) -> None:
    target.plan("/left", Reply(value={"n": 1}, delay=0.3))
    target.plan("/right", Reply(value={"n": 2}))
    run = finish(
        define(
            http("start", target.base + "/start"),
            http("left", target.base + "/left", after=["start"]),
            http("right", target.base + "/right", after=["start"]),
            http(
                "both",
                target.base + "/both/{{ steps.left.output.body.n }}/{{ steps.right.output.body.n }}",
                after=["left", "right"],
            ),
        )
    )
    assert set(statuses_of(run).values()) == {"succeeded"}
    (both,) = target.received("/both/1/2")
    assert both.at > target.answered_at("/left")
    assert len(target.received()) == 4


def test_independent_steps_run_at_the_same_time(finish: Finish, target: Target) -> None:
    # None of them is answered before all have come.
    target.gather("/slow", 10)
    run = finish(define(*(http(f"step_{n}", f"{target.base}/slow?n={n}") for n in range(10))))
    assert run["status"] == "succeeded"
    assert len(target.received("/slow")) == 10


@pytest.mark.parametrize(
    ("taken", "join", "status", "reason"),
    [
        ("true", "any", "succeeded", None),
        ("false", "any", "succeeded", None),
        ("true", "all", "skipped", "dependency_skipped"),
    ],
)
def test_branches_of_an_if_come_together_with_join_any_alone(
    finish: Finish, taken: str, join: str, status: str, reason: str | None
) -> None:
    run = finish(
        define(
            condition("choose", taken),
            condition("yes", "true", after=["choose.true"]),
            condition("no", "true", after=["choose.false"]),
            condition("together", "true", after=["yes", "no"], join=join),
        )
    )
    together = step_of(run, "together")
    assert run["status"] == "succeeded"
    assert together["status"] == status
    assert reason is None or together["reason"] == reason


def test_join_any_waits_until_everything_is_settled(finish: Finish, target: Target) -> None:
    target.plan("/slow", Reply(delay=0.4))
    run = finish(
        define(
            http("fast", target.base + "/fast"),
            http("slow", target.base + "/slow"),
            http("after", target.base + "/after", after=["fast", "slow"], join="any"),
        )
    )
    assert run["status"] == "succeeded"
    assert target.received("/after")[0].at > target.answered_at("/slow")


def test_join_any_with_nothing_satisfied_is_skipped(finish: Finish) -> None:
    run = finish(
        define(
            condition("a", "true"),
            condition("b", "true"),
            condition("neither", "true", after=["a.false", "b.false"], join="any"),
        )
    )
    neither = step_of(run, "neither")
    assert (run["status"], neither["status"], neither["reason"]) == ("succeeded", "skipped", "nothing_satisfied")


def test_a_skipped_step_satisfies_no_port_the_error_port_included(finish: Finish) -> None:
    run = finish(
        define(
            condition("choose", "true"),
            condition("skipped", "true", after=["choose.false"]),
            condition("on_success", "true", after=["skipped"]),
            condition("on_port", "true", after=["skipped.true"]),
            condition("on_error", "true", after=["skipped.error"]),
        )
    )
    assert run["status"] == "succeeded"
    for step_id in ("on_success", "on_port", "on_error"):
        step = step_of(run, step_id)
        assert (step["status"], step["reason"]) == ("skipped", "dependency_skipped")


def test_skipping_passes_on_over_many_steps(finish: Finish) -> None:
    chain = [condition(f"s{n}", "true", after=[f"s{n - 1}"]) for n in range(1, 30)]
    run = finish(define(condition("choose", "false"), condition("s0", "true", after=["choose.true"]), *chain))
    assert run["status"] == "succeeded"
    assert list(statuses_of(run).values()) == ["succeeded"] + ["skipped"] * 30


def test_a_handled_failure_lets_the_run_succeed_and_shows_the_error(finish: Finish, target: Target) -> None:
    target.plan("/fails", Reply(status=404, value={"why": "no such order"}))
    run = finish(
        define(
            http("fetch", target.base + "/fails"),
            http("use", target.base + "/use", after=["fetch"]),
            http(
                "rescue",
                target.base + "/rescue",
                method="POST",
                with_={"json": {"error": "{{ steps.fetch.error }}", "status": "{{ steps.fetch.status }}"}},
                after=["fetch.error"],
            ),
            http("done", target.base + "/done", after=["use", "rescue"], join="any"),
        )
    )
    assert run["status"] == "succeeded"
    assert statuses_of(run) == {"fetch": "failed", "use": "skipped", "rescue": "succeeded", "done": "succeeded"}
    assert step_of(run, "use")["reason"] == "dependency_failed"
    (rescue,) = target.received("/rescue")
    assert rescue.json["status"] == "failed"
    assert (rescue.json["error"]["code"], rescue.json["error"]["status"]) == ("http_status", 404)
    assert "404" in rescue.json["error"]["message"]
    assert target.received("/use") == []


def test_without_a_failure_the_listener_on_the_error_port_is_skipped(finish: Finish, target: Target) -> None:
    run = finish(
        define(http("fetch", target.base + "/ok"), http("rescue", target.base + "/rescue", after=["fetch.error"]))
    )
    rescue = step_of(run, "rescue")
    assert (run["status"], rescue["status"], rescue["reason"]) == ("succeeded", "skipped", "dependency_succeeded")


def test_an_unhandled_failure_ends_the_run_and_cancels_what_runs_or_has_not_started(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    hold = target.hold("/held")
    target.plan("/fails", Reply(status=404, delay=0.3))
    workflow = publish_workflow(
        define(
            http("held", target.base + "/held"),
            delay("waits", 60),
            http("fails", target.base + "/fails"),
            http("later", target.base + "/later", after=["held", "fails"]),
        )
    )
    run = client.finish(workflow.id)
    assert run["status"] == "failed"
    assert (run["error"]["code"], run["error"]["step"], run["error"]["status"]) == ("http_status", "fails", 404)
    assert run["reason"] == "step_failed"
    assert step_of(run, "fails")["status"] == "failed"
    for step_id in ("held", "waits", "later"):
        step = step_of(run, step_id)
        assert (step["status"], step["reason"]) == ("cancelled", "run_failed")
    hold.released.set()
    # Nothing of it starts afterwards: a run that comes later has ended by now, and `later` was not called.
    assert client.finish(publish_workflow(define(condition("a", "true"))).id)["status"] == "succeeded"
    assert target.received("/later") == []
    assert client.run(run["id"])["status"] == "failed"


def test_a_failure_whose_only_listener_is_skipped_is_unhandled(finish: Finish, target: Target) -> None:
    target.plan("/fails", Reply(status=404))
    run = finish(
        define(
            http("fails", target.base + "/fails"),
            condition("choose", "false"),
            http("rescue", target.base + "/rescue", after=["fails.error", "choose.true"]),
        )
    )
    assert run["status"] == "failed"
    assert run["error"]["step"] == "fails"
    assert target.received("/rescue") == []


def test_one_listener_of_two_that_is_not_skipped_handles_the_failure(finish: Finish, target: Target) -> None:
    target.plan("/fails", Reply(status=404))
    run = finish(
        define(
            http("fails", target.base + "/fails"),
            condition("choose", "false"),
            http("skipped", target.base + "/skipped", after=["fails.error", "choose.true"]),
            http("rescue", target.base + "/rescue", after=["fails.error", "choose.false"]),
        )
    )
    assert run["status"] == "succeeded"
    assert statuses_of(run)["rescue"] == "succeeded"


def test_a_failure_in_the_rescue_itself_ends_the_run(finish: Finish, target: Target) -> None:
    target.plan("/fails", Reply(status=404))
    target.plan("/rescue", Reply(status=410))
    run = finish(
        define(
            http("fails", target.base + "/fails"),
            http("rescue", target.base + "/rescue", after=["fails.error"]),
        )
    )
    assert (run["status"], run["error"]["step"], run["error"]["status"]) == ("failed", "rescue", 410)


def test_the_error_port_of_an_if_takes_its_failing_condition(finish: Finish) -> None:
    run = finish(
        define(
            condition("broken", "trigger.nothing.at.all"),
            condition("yes", "true", after=["broken.true"]),
            condition("rescue", "steps.broken.error.code == 'expression_error'", after=["broken.error"]),
        )
    )
    assert statuses_of(run) == {"broken": "failed", "yes": "skipped", "rescue": "succeeded"}
    assert step_of(run, "rescue")["output"] is True


def test_a_run_of_many_steps_in_a_line_keeps_their_order(finish: Finish, target: Target) -> None:
    steps = [http("s0", target.base + "/s/0", retry=ONCE)]
    steps += [http(f"s{n}", f"{target.base}/s/{n}", after=[f"s{n - 1}"], retry=ONCE) for n in range(1, 40)]
    run = finish(define(*steps))
    assert run["status"] == "succeeded"
    assert [request.path.rpartition("/")[2] for request in target.received()] == [str(n) for n in range(40)]
