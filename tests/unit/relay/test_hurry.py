"""What a ring on its way means for rows that are read meanwhile, and for those that come later."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import cast
from uuid import UUID

import pytest

from engine.infra.ids import new_id
from engine.relay.hurry import Hurry
from engine.relay.publisher import Publisher


class Ringer:
    """Rings once it may."""

    def __init__(self) -> None:
        self.may_ring = asyncio.Event()
        self.may_ring.set()
        self.rung: list[UUID] = []
        self.tried = 0

    async def ring_named(self, runs: Mapping[UUID, str | None], *, is_awaited: bool) -> bool:
        self.tried += 1
        await self.may_ring.wait()
        self.rung += runs
        return is_awaited


@pytest.fixture
def ringer() -> Ringer:
    return Ringer()


@pytest.fixture
async def hurry(ringer: Ringer) -> AsyncIterator[Hurry]:
    hurry = Hurry(cast(Publisher, ringer), look=lambda: None, is_awaited=lambda: False)
    task = asyncio.create_task(hurry.run())
    yield hurry
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_first_row_after_a_ring_rings_no_more_and_the_next_one_does(hurry: Hurry, ringer: Ringer) -> None:
    run_id = new_id()
    hurry.name(str(run_id))
    await turn()
    assert ringer.rung == [run_id]
    assert [hurry.take_rung(run_id) for _ in range(2)] == [True, False]


async def test_a_row_that_is_read_while_the_ring_is_on_its_way_rings_itself_and_so_does_the_next(
    hurry: Hurry, ringer: Ringer
) -> None:
    run_id, other = new_id(), new_id()
    ringer.may_ring.clear()
    hurry.name(str(run_id))
    await turn()
    assert ringer.tried == 1
    # Named while another ring is on its way, and read before its own begins.
    hurry.name(str(other))
    assert not hurry.take_rung(run_id)
    assert not hurry.take_rung(other)
    ringer.may_ring.set()
    await turn()
    assert ringer.rung == [run_id]
    assert not hurry.take_rung(run_id)
    assert not hurry.take_rung(other)


async def test_a_name_that_is_heard_after_its_row_was_read_is_none(hurry: Hurry, ringer: Ringer) -> None:
    run_id = new_id()
    assert not hurry.take_rung(run_id)
    hurry.name(str(run_id))
    await turn()
    assert ringer.rung == []
    assert not hurry.take_rung(run_id)


async def test_what_is_remembered_is_bounded(hurry: Hurry, ringer: Ringer) -> None:
    first = new_id()
    hurry.name(str(first))
    await turn()
    for _ in range(2000):
        hurry.name(str(new_id()))
    await turn()
    assert len(ringer.rung) == 2001
    assert not hurry.take_rung(first)
