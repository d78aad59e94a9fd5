"""What a trigger holds is counted now and then, and the bound holds all the same."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.errors import TooManyHeld
from app.runs.held_bound import FULL_SECONDS, HeldBound
from engine.infra.ids import new_id
from engine.store.keeping import Hold, Kept

TRIGGER, OTHER = new_id(), new_id()


class Database:
    """What each trigger holds, and how often somebody has counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held: dict[UUID, int] = {TRIGGER: 0, OTHER: 0}
        self.counts = 0
        self.clock = 0.0
        monkeypatch.setattr("engine.triggers.held_room.count_held", self._count)

    async def _count(self, _: Any, trigger_ids: Sequence[UUID], most: int) -> dict[UUID, int]:
        self.counts += 1
        return {one: min(self.held[one], most) for one in trigger_ids}

    async def offer(self, bound: HeldBound, *trigger_ids: UUID) -> list[bool]:
        """Whether each of the events is taken."""
        errors = await bound.refuse(self, [_make(one) for one in trigger_ids])
        for one, error in zip(trigger_ids, errors, strict=True):
            self.held[one] += error is None
        return [error is None for error in errors]


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    return Database(monkeypatch)


def _make(trigger_id: UUID, kind: Any = "throttle", size: int = 4, period: float = 10) -> Kept:
    return Kept(
        event_id=new_id(),
        workspace_id=TRIGGER,
        workflow_id=TRIGGER,
        trigger_id=trigger_id,
        trigger_updated_at=datetime.now(UTC),
        at=datetime.now(UTC),
        hold=Hold(kind=kind, key="", size=size, period_seconds=period),
    )


async def test_no_more_is_taken_than_may_be_held_and_few_counts_are_made(database: Database) -> None:
    bound = HeldBound(10_000, lambda: database.clock)
    taken = [await database.offer(bound, *[TRIGGER] * 50) for _ in range(300)]
    assert sum(sum(batch) for batch in taken) == database.held[TRIGGER] == 10_000
    assert database.counts < 150
    assert all(all(batch) for batch in taken[:200]), "nobody is sent away while there is room"


async def test_a_large_burst_is_taken_where_there_is_room_for_it(database: Database) -> None:
    bound = HeldBound(300, lambda: database.clock)
    assert await database.offer(bound, *[TRIGGER] * 200) == [True] * 200
    assert await database.offer(bound, *[TRIGGER] * 200) == [True] * 100 + [False] * 100


async def test_two_processes_together_go_little_beyond_the_bound(database: Database) -> None:
    bounds = [HeldBound(10_000, lambda: database.clock) for _ in range(2)]
    for _ in range(300):
        for bound in bounds:
            await database.offer(bound, *[TRIGGER] * 50)
    assert 10_000 <= database.held[TRIGGER] <= 10_100


async def test_a_full_trigger_is_asked_about_again_after_a_moment_and_keeps_no_other_up(database: Database) -> None:
    bound = HeldBound(2, lambda: database.clock)
    assert await database.offer(bound, TRIGGER, OTHER, TRIGGER, TRIGGER) == [True, True, True, False]
    with pytest.raises(TooManyHeld):
        bound.check(_make(TRIGGER))
    bound.check(_make(OTHER))
    database.held[TRIGGER] = 1
    database.clock += FULL_SECONDS
    bound.check(_make(TRIGGER))
    assert await database.offer(bound, TRIGGER, TRIGGER) == [True, False]


async def test_without_a_bound_nothing_is_counted(database: Database) -> None:
    assert await database.offer(HeldBound(0), *[TRIGGER] * 5) == [True] * 5
    assert database.counts == 0


@pytest.mark.parametrize(
    ("kind", "size", "period", "seconds"),
    [
        pytest.param("throttle", 4, 10, "3", id="the next turn of a throttle"),
        pytest.param("throttle", 1000, 0.1, "1", id="a fast throttle"),
        pytest.param("batch", 100, 30, "30", id="the end of a batch"),
        pytest.param("debounce", 1, 604_800, "60", id="no longer than a minute"),
    ],
)
async def test_callers_are_told_when_there_may_be_room(
    database: Database, kind: str, size: int, period: float, seconds: str
) -> None:
    database.held[TRIGGER] = 1
    (error,) = await HeldBound(1).refuse(None, [_make(TRIGGER, kind, size, period)])
    assert error is not None
    assert error.headers["retry-after"] == seconds
