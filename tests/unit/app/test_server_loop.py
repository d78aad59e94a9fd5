"""The API's server sleeps until its date is to be moved on, or it is told to stop."""

import asyncio

import pytest
import uvicorn

from app import server
from app.server import _Server
from tests.product import PATIENCE_SECONDS


async def nothing(_scope: object, _receive: object, _send: object) -> None:
    """Serve nobody."""


@pytest.fixture
def made() -> _Server:
    return _Server(uvicorn.Config(nothing))


async def test_it_ends_when_it_is_told_however_far_its_next_turn_is(
    made: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_TICK_SECONDS", 3600)
    turning = asyncio.create_task(made.main_loop())
    # It has had its first turn once it waits.
    while not made.server_state.default_headers:
        await asyncio.sleep(0)
    assert not turning.done()
    made.stop()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await turning
    assert not made.force_exit
    made.stop()
    assert made.force_exit, "who says it twice waits for nobody"


async def test_the_date_of_answers_moves_on_with_each_turn(made: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_TICK_SECONDS", 0)
    turning = asyncio.create_task(made.main_loop())
    seen: set[bytes] = set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(seen) < 2:
            await asyncio.sleep(0.01)
            seen |= {value for name, value in made.server_state.default_headers if name == b"date"}
    made.stop()
    await turning
