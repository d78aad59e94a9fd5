"""Rings that can wait: for the relay's next turn, and for no longer than promised where it has none."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from engine.infra import bell as bell_module
from engine.infra.bell import OutboxBell
from engine.infra.settings import Settings

NEVER = 1000.0


class Counting(OutboxBell):
    """Counts its rings instead of sending them."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.rings = 0
        self.rang = asyncio.Event()

    def ring(self) -> None:
        super().ring()
        self.rings += 1
        self.rang.set()


@pytest.fixture
def wait_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    return lambda seconds: monkeypatch.setattr(bell_module, "LATER_SECONDS", seconds)


async def _until(awaited: Awaitable[object]) -> None:
    await asyncio.wait_for(awaited, 60)


async def test_until_the_relay_says_otherwise_events_are_awaited() -> None:
    bell = Counting()
    assert bell.is_awaited
    bell.note_turn(is_awaited=False)
    assert not bell.is_awaited
    bell.note_turn(is_awaited=True)
    assert bell.is_awaited


async def test_several_that_wait_are_one_ring(wait_for: Callable[[float], None]) -> None:
    wait_for(0.01)
    bell = Counting()
    for _ in range(3):
        bell.ring_later()
    assert bell.rings == 0
    await _until(bell.rang.wait())
    await asyncio.sleep(0.05)
    assert bell.rings == 1


async def test_a_turn_puts_the_ring_off_and_does_not_drop_it(wait_for: Callable[[float], None]) -> None:
    wait_for(NEVER)
    bell = Counting()
    bell.ring_later()
    wait_for(0.01)
    # It may have begun before what is rung for was committed.
    bell.note_turn(is_awaited=False)
    assert bell.rings == 0
    await _until(bell.rang.wait())


async def test_what_waits_is_rung_for_once_somebody_waits_for_it(wait_for: Callable[[float], None]) -> None:
    wait_for(NEVER)
    bell = Counting()
    bell.ring_later()
    bell.note_turn(is_awaited=True)
    assert bell.rings == 1


async def test_a_turn_rings_for_nothing_where_nothing_waits(wait_for: Callable[[float], None]) -> None:
    wait_for(0.0)
    bell = Counting()
    bell.note_turn(is_awaited=True)
    bell.note_turn(is_awaited=False)
    await asyncio.sleep(0.01)
    assert bell.rings == 0
