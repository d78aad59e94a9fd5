"""Definitions of versions are compiled once, however many ask for their runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import pytest

from app.runs import reader as reading
from engine.store.reads import RunRow


class Gone(Exception):
    """What reading the definition ends with here."""


class Anywhere:
    """Opens transactions without a database."""

    @asynccontextmanager
    async def read(self, _workspace_id: UUID) -> AsyncIterator[None]:
        yield None


async def test_who_asks_for_a_version_that_is_being_read_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[UUID] = []
    go_on = asyncio.Event()

    async def load(_reader: Any, version_id: UUID) -> bytes:
        asked.append(version_id)
        await go_on.wait()
        raise Gone

    monkeypatch.setattr(reading, "load_definition", load)
    reader = reading.RunReader(cast(Any, Anywhere()), cast(Any, None))
    row = cast(RunRow, type("Row", (), {"version_id": UUID(int=1), "workspace_id": UUID(int=2)}))
    impatient, *others = [asyncio.create_task(reader.read(row)) for _ in range(5)]
    await asyncio.sleep(0)
    impatient.cancel()
    go_on.set()
    outcomes = await asyncio.gather(impatient, *others, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, Gone, Gone, Gone, Gone]
    assert len(asked) == 1
    # A failure is not kept.
    with pytest.raises(Gone):
        await reader.read(row)
    assert len(asked) == 2
