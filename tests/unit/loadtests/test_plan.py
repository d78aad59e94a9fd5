"""Where load goes, when each event is due, and what is sent."""

import itertools
from pathlib import Path

import msgspec
import pytest

from app.workflows.definitions import find_problems
from loadtests.plan import Plan, due_at, read_plan, require_loopback
from loadtests.profiles import MOST_EVENTS, MOST_RATE, PROFILES, Flow
from loadtests.workflows import HOLD_SECONDS, make_shapes


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://127.9.9.9", "http://[::1]:80", "http://localhost:1"])
def test_load_goes_to_this_machine(url: str) -> None:
    require_loopback(url)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8000", "http://example.com", "http://127.0.0.1.example.com", "http://0.0.0.0:8000", ""]
)
def test_load_goes_nowhere_else(url: str) -> None:
    with pytest.raises(ValueError, match="not on this machine"):
        require_loopback(url)


def test_locust_refuses_a_plan_for_another_machine(tmp_path: Path) -> None:
    plan = Plan(
        url="http://192.0.2.1", token="", folder=str(tmp_path), hooks=["/h"], workflow_ids=["w"], rate=1, count=1
    )
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(plan))
    with pytest.raises(ValueError, match="not on this machine"):
        read_plan(tmp_path / "plan.json")


def test_events_are_due_at_equal_distances() -> None:
    moments = [due_at(number, 1000 / 60) for number in range(1001)]
    assert moments[0] == 0
    assert moments[1000] == pytest.approx(60)
    assert {round(after - before, 6) for before, after in itertools.pairwise(moments)} == {0.06}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_bounded(name: str) -> None:
    profile = PROFILES[name]
    assert profile.seconds <= profile.most_seconds
    assert profile.rate <= MOST_RATE
    assert profile.rate * profile.seconds <= MOST_EVENTS


@pytest.mark.parametrize("name", ["mixed", "minute"])
def test_every_workflow_gets_its_next_event_while_it_still_runs(name: str) -> None:
    profile = PROFILES[name]
    assert profile.workflows / profile.rate < HOLD_SECONDS


@pytest.mark.parametrize("flow", ["single", "chain", "mixed"])
async def test_the_workflows_of_load_tests_can_be_published(flow: Flow) -> None:
    shapes = make_shapes(flow, 20)
    for shape in shapes:
        content = msgspec.json.encode(shape.definition)
        assert await find_problems(shape.definition, len(content)) == [], shape.name


def test_a_hundred_workflows_are_distinct() -> None:
    shapes = make_shapes("mixed", 100)
    assert len({shape.name for shape in shapes}) == 100
    assert len({msgspec.json.encode(shape.definition) for shape in shapes}) == 100
    assert {shape.ends for shape in shapes} == {"succeeded", "failed"}
