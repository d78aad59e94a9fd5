"""What a repeated run takes over, and what another version has changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.core.definition import ActionTraits, Definition
from engine.core.events import (
    ErrorInfo,
    PayloadRef,
    RunEvent,
    RunFailed,
    RunQueued,
    RunRetried,
    RunStarted,
    StepCancelled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    decode_to_copy,
    encode_event,
)
from engine.core.graph import Graph, compile_graph
from engine.core.replay import replay
from engine.core.reuse import find_changed, take_over

THEN = datetime(2027, 1, 1, tzinfo=UTC)
NOW = THEN + timedelta(days=1)
ERROR = ErrorInfo(code="status", message="500", status=500)
QUEUED = RunQueued(at=NOW, trigger={}, input={}, workflow={}, reason="accepted")
BEGINNING: list[RunEvent] = [
    msgspec.structs.replace(QUEUED, at=THEN),
    RunStarted(at=THEN, deadline_at=NOW, vars={}),
]


def http(step_id: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "http", "after": list(after), **more}


def define(*steps: dict[str, Any]) -> Definition:
    return msgspec.convert({"schema": 1, "steps": list(steps)}, Definition)


def graph(*steps: dict[str, Any]) -> Graph:
    return compile_graph(define(*steps), {"http": ActionTraits(timeout=30)})


def succeeded(step: str, **more: Any) -> StepSucceeded:
    return StepSucceeded(at=THEN, step=step, output={"of": step}, attempt=3, started_at=THEN, queued_ms=7, **more)


def failed(step: str) -> StepFailed:
    return StepFailed(at=THEN, step=step, error=ERROR, attempt=4, started_at=THEN, queued_ms=7, reason="not_retryable")


def skipped(step: str, because: str, reason: str = "dependency_failed") -> StepSkipped:
    return StepSkipped(at=THEN, step=step, because=because, reason=reason)


def cancelled(step: str) -> StepCancelled:
    return StepCancelled(at=THEN, step=step, reason="run_failed")


def taken(of: Graph, from_step: str, *events: RunEvent, changed: frozenset[str] = frozenset()) -> list[str]:
    """The ids of the steps that are taken over, in order."""
    ends = take_over(of, [*BEGINNING, *events], from_step, changed, at=NOW)
    # Whatever is taken over, a run can begin with it.
    replay(of, [QUEUED, *ends], run_id="r", attempt=1)
    return [event.step for event in ends]


CHAIN = graph(http("a"), http("b", "a"), http("c", "b"), http("side"))


@pytest.mark.parametrize(
    ("from_step", "expected"),
    [("a", ["side"]), ("b", ["a", "side"]), ("c", ["a", "side", "b"]), ("side", ["a", "b", "c"])],
)
def test_the_step_and_what_follows_from_it_is_done_again_and_nothing_else(from_step: str, expected: list[str]) -> None:
    events = [succeeded(step) for step in ("a", "side", "b", "c")]
    assert taken(CHAIN, from_step, *events) == expected


def test_an_end_is_dated_anew_and_tells_of_no_attempt_but_keeps_what_it_gave() -> None:
    ref = PayloadRef(ref="r", size=100_000, preview="[")
    (end,) = take_over(CHAIN, [succeeded("a", port="true", output_ref=ref)], "b", set(), at=NOW)
    assert end == StepSucceeded(
        at=NOW, step="a", output={"of": "a"}, attempt=0, port="true", reason="reused", output_ref=ref
    )


def test_a_handled_failure_is_taken_over_with_its_error() -> None:
    rescued = graph(http("a"), http("rescue", "a.error"), http("c", "rescue"))
    ends = take_over(rescued, [failed("a"), succeeded("rescue"), succeeded("c")], "c", set(), at=NOW)
    assert ends[0] == StepFailed(at=NOW, step="a", error=ERROR, reason="reused")
    assert [end.step for end in ends] == ["a", "rescue"]


def test_a_failure_whose_handler_was_cancelled_is_handled_still() -> None:
    rescued = graph(http("a"), http("rescue", "a.error"), http("b"))
    assert taken(rescued, "b", failed("a"), cancelled("rescue"), failed("b")) == ["a"]


def test_a_failure_that_nobody_handled_is_done_again_with_what_follows() -> None:
    broken = graph(http("a"), http("b", "a"), http("c", "b"), http("d"))
    assert taken(broken, "d", failed("a"), cancelled("b"), cancelled("c"), succeeded("d")) == []


def test_a_failure_whose_every_handler_was_skipped_is_done_again() -> None:
    # `rescue` waits for `z` as well, which went wrong.
    both = graph(http("a"), http("z"), http("rescue", "a.error", "z"), http("saved", "z.error"), http("end", "saved"))
    events: list[RunEvent] = [failed("a"), failed("z"), succeeded("saved"), skipped("rescue", "z"), succeeded("end")]
    assert taken(both, "end", *events) == ["z", "saved"]


def test_a_skipped_step_is_taken_over_unless_what_skipped_it_is_done_again() -> None:
    steps = graph(
        {"id": "is", "type": "if", "with": {"condition": "true"}}, http("yes", "is.true"), http("no", "is.false")
    )
    events: list[RunEvent] = [
        succeeded("is", port="true"),
        skipped("no", "is.false", "port_not_taken"),
        succeeded("yes"),
    ]
    assert taken(steps, "yes", *events) == ["is", "no"]
    assert taken(steps, "is", *events) == []


def test_of_several_rounds_the_latest_end_counts() -> None:
    rounds: list[RunEvent] = [
        succeeded("side"),
        failed("a"),
        cancelled("b"),
        cancelled("c"),
        RunFailed(at=THEN, error=ERROR, reason="step_failed"),
        RunRetried(at=THEN, attempt=2),
        RunStarted(at=THEN, deadline_at=NOW, vars={}),
        succeeded("a"),
        succeeded("b"),
        failed("c"),
    ]
    assert taken(CHAIN, "c", *rounds) == ["side", "a", "b"]


def test_what_was_cancelled_in_a_later_round_is_not_taken_over() -> None:
    events: list[RunEvent] = [failed("a"), RunRetried(at=THEN, attempt=2), cancelled("a"), succeeded("side")]
    assert taken(CHAIN, "c", *events) == ["side"]


def test_what_has_not_ended_is_not_taken_over() -> None:
    started = StepStarted(at=THEN, step="a", attempt=1, started_at=THEN, reason="long_running")
    waiting = StepWaiting(at=THEN, step="side", due_at=None, reason="delay")
    retrying = StepRetrying(
        at=THEN, step="b", attempt=1, error=ERROR, retry_at=NOW, started_at=THEN, queued_ms=0, reason="status"
    )
    assert taken(CHAIN, "c", started, waiting, retrying) == []


def test_a_foreach_is_taken_over_as_a_whole_or_not_at_all() -> None:
    loop = {"id": "each", "type": "foreach", "with": {"items": "[1, 2]"}, "steps": [http("a"), http("get", "a")]}
    steps = graph(http("a"), {**loop, "after": ["a"]}, http("last", "each"))
    body = [succeeded(f"each[{index}].{step}") for index in (1, 0) for step in ("a", "get")]
    start = StepStarted(at=THEN, step="each", attempt=0, started_at=THEN, reason="items", items=2)
    assert taken(steps, "last", succeeded("a"), start, *body, succeeded("each"), failed("last")) == ["a", "each"]
    # A step of its items has the name of one outside, and is another one.
    assert taken(steps, "last", start, *body) == []


def test_a_changed_step_is_done_again_with_what_follows_from_it() -> None:
    events = [succeeded(step) for step in ("a", "b", "c", "side")]
    assert taken(CHAIN, "c", *events, changed=frozenset({"b"})) == ["a", "side"]
    assert taken(CHAIN, "c", *events, changed=frozenset({"a", "side"})) == []


def test_steps_that_another_version_does_not_have_are_left_out() -> None:
    events: list[RunEvent] = [succeeded("gone"), succeeded("a"), failed("also_gone")]
    assert taken(CHAIN, "c", *events) == ["a"]


def test_a_failure_whose_handler_another_version_does_not_have_is_done_again() -> None:
    assert taken(graph(http("a"), http("b")), "b", failed("a"), succeeded("rescue")) == []


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"name": "Fetch the order"}, False),
        ({"after": []}, False),
        ({"after": ["z"]}, True),
        ({"with": {"url": "http://b/"}}, True),
        ({"timeout": 5}, True),
        ({"retry": {"max_attempts": 2}}, True),
        ({"join": "any"}, True),
        ({"type": "delay"}, True),
    ],
    ids=repr,
)
def test_a_step_is_changed_by_all_that_it_does_but_not_by_its_name(change: dict[str, Any], differs: bool) -> None:
    before = define(http("a", **{"with": {"url": "http://a/"}}), http("z"))
    after = define({**http("a", **{"with": {"url": "http://a/"}}), **change}, http("z"))
    assert find_changed(before, after) == ({"a"} if differs else set())


def test_a_change_within_a_foreach_changes_it() -> None:
    def loop(url: str, name: str = "Get") -> dict[str, Any]:
        body = [http("get", name=name, **{"with": {"url": url}})]
        return {"id": "each", "type": "foreach", "with": {"items": "[1]"}, "steps": body}

    assert find_changed(define(loop("http://a/")), define(loop("http://b/"))) == {"each"}
    assert find_changed(define(loop("http://a/")), define(loop("http://a/", "Fetch"))) == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"cases": {"a": "x > 1", "b": "x > 2"}}, {"cases": {"b": "x > 2", "a": "x > 1"}}),
        ({"values": {"a": True}}, {"values": {"a": 1}}),
        ({"values": {"a": 1}}, {"values": {"a": 1.0}}),
    ],
    ids=["the order of cases", "true is not 1", "1.0 is a double"],
)
def test_what_python_takes_for_the_same_may_be_changed(before: dict[str, Any], after: dict[str, Any]) -> None:
    steps = [define({"id": "a", "type": "switch", "with": config}) for config in (before, after)]
    assert find_changed(*steps) == {"a"}


def test_new_steps_are_changed_and_those_that_are_gone_are_nothing() -> None:
    assert find_changed(define(http("a"), http("gone")), define(http("a"), http("new"))) == {"new"}


@pytest.mark.parametrize(
    "event",
    [
        *BEGINNING,
        succeeded("a", port="true", output_ref=PayloadRef(ref="r", size=1, preview="é")),
        msgspec.structs.replace(succeeded("each[0].a"), output=[1, 1.0, 10**30, {"b": None, "a": "\ud7ff"}]),
        failed("a"),
        skipped("b", "a"),
        RunRetried(at=THEN, attempt=2),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_is_copied_is_written_as_it_was(event: RunEvent) -> None:
    written = encode_event(event)
    copied = decode_to_copy(written)
    assert type(copied) is type(event)
    assert encode_event(copied) == written
