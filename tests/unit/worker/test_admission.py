"""How many runs of each workspace are claimed before others of it have begun, and when more may be."""

import asyncio

import pytest

from engine.worker import turns as turns_module
from engine.worker.admission import CLAIMED_AT_ONCE, LIMIT_ALONE, LINED_UP_LIMIT, Admission
from engine.worker.turns import MANY_SECONDS, Turns

FLOOD, OTHER = 1, 2


class Line:
    """An admission for which time stands still, so that nothing begins but by `go_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(turns_module, "perf_counter", lambda: self.now)
        self.turns = Turns()
        self.admission = Admission(1000, self.turns)
        self.begun = self.told = 0

    def admit(self, workspace: int, count: int) -> None:
        for _ in range(count):
            self.admission.admit(workspace, self._begin, self._tell)

    async def go_on(self) -> None:
        """Until all that waited has begun."""
        self.now += MANY_SECONDS
        async with asyncio.timeout(60):
            while self.admission._tasks:
                await asyncio.sleep(0)

    def _begin(self) -> None:
        self.begun += 1

    def _tell(self) -> None:
        self.told += 1


@pytest.fixture
async def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


async def test_beside_others_a_few_are_claimed_at_once(line: Line) -> None:
    line.admit(FLOOD, 1)
    assert line.admission.count_claimable(FLOOD) == LIMIT_ALONE
    line.admit(OTHER, 1)
    assert line.admission.count_claimable(FLOOD) == CLAIMED_AT_ONCE


async def test_who_has_enough_in_line_gets_no_further_run_claimed(line: Line) -> None:
    line.admit(OTHER, 1)
    line.admit(FLOOD, 100)
    assert line.admission.count_claimable(FLOOD) <= LINED_UP_LIMIT - (100 - line.begun)
    assert line.admission.count_claimable(OTHER) == CLAIMED_AT_ONCE
    line.admission.abandon()


async def test_more_may_be_claimed_at_half_the_line_and_at_its_end(line: Line) -> None:
    line.admit(OTHER, 1)
    line.admit(FLOOD, 60)
    assert 60 - line.begun < LINED_UP_LIMIT * 2
    assert line.told == 0
    await line.go_on()
    assert line.begun == 61
    assert line.told == 2
