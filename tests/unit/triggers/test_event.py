"""Which events a trigger hears, and what keeps it from going round in circles."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from engine.infra.ids import new_id
from engine.triggers.event import (
    MAX_DEPTH,
    Cause,
    EventConfig,
    FilterFailed,
    describe_event,
    find_config_problems,
    find_cut_off,
    is_wanted,
)

TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
BOMB = f"{TEN}.map(a, {TEN}.map(b, {TEN}.map(c, {TEN}.map(d, a * b * c * d)))) == []"
AT = datetime(2026, 6, 1, tzinfo=UTC)


def describe(chain: tuple[str, ...] = (), **event: Any) -> dict[str, Any]:
    cause = Cause(run_id=new_id(), chain=chain, details={"workflow_name": "Orders", "version": 3})
    return describe_event({"type": "run.failed", **event}, cause, new_id(), AT)


def test_a_run_sees_the_event_and_the_run_that_it_is_about() -> None:
    trigger_id = new_id()
    cause = Cause(run_id=new_id(), chain=("a",), details={"workflow_name": "Orders"})
    trigger = describe_event({"id": "x:7", "type": "run.failed"}, cause, trigger_id, AT)
    assert trigger["type"] == "event"
    assert trigger["event"] == {"id": "x:7", "type": "run.failed", "run": {"workflow_name": "Orders"}}
    assert (trigger["depth"], trigger["chain"]) == (2, ["a", str(trigger_id)])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (None, True),
        ("trigger.event.error.code == 'too_big'", True),
        ("trigger.event.error.code == 'other'", False),
        ("trigger.event.run.version > 2 && trigger.depth == 1", True),
    ],
)
def test_a_filter_tells_which_events_are_wanted(source: str | None, expected: bool) -> None:
    config = EventConfig(event="run.failed", filter=msgspec.UNSET if source is None else source)
    assert is_wanted(config, describe(error={"code": "too_big"})) is expected


@pytest.mark.parametrize(
    "source",
    ["trigger.event.nothing.code == 'x'", "trigger.event.type", BOMB],
    ids=["a field that is missing", "no bool", "endless work"],
)
def test_a_filter_that_cannot_tell_says_so(source: str) -> None:
    with pytest.raises(FilterFailed):
        is_wanted(EventConfig(event="run.failed", filter=source), describe())


def test_a_trigger_does_not_fire_for_what_it_has_led_to() -> None:
    own = uuid4()
    assert find_cut_off(own, (str(uuid4()), str(own))) == "event_loop"


def test_triggers_lead_to_each_other_only_so_deep() -> None:
    chain = tuple(str(uuid4()) for _ in range(MAX_DEPTH))
    assert find_cut_off(uuid4(), chain[1:]) is None
    assert find_cut_off(uuid4(), chain) == "too_deep"


def test_a_run_of_several_events_is_as_deep_as_its_deepest_and_not_as_long_as_its_chain() -> None:
    chain = tuple(str(uuid4()) for _ in range(MAX_DEPTH + 3))
    assert find_cut_off(uuid4(), chain, MAX_DEPTH - 1) is None
    assert find_cut_off(uuid4(), chain, MAX_DEPTH) == "too_deep"
    cause = Cause(run_id=new_id(), chain=chain, details={}, depth=2)
    assert describe_event({"type": "run.failed"}, cause, new_id(), AT)["depth"] == 3


@pytest.mark.parametrize(
    ("source", "code"),
    [
        pytest.param("trigger.", "expression_syntax", id="no expression"),
        pytest.param("{{ trigger.event }}", "expression_syntax", id="a template"),
        pytest.param("steps.fetch.output > 1", "unknown_name", id="names of runs"),
    ],
)
def test_a_faulty_filter_is_told_with_its_place(source: str, code: str) -> None:
    problems = find_config_problems(EventConfig(event="run.failed", filter=source))
    assert [(problem.pointer, problem.code) for problem in problems] == [("/config/filter", code)]


def test_an_event_that_does_not_exist_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"run\.exploded"):
        msgspec.json.decode(b'{"event": "run.exploded"}', type=EventConfig)
