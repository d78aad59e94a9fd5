"""The reconciler counts every minute in its turn, and writes none that is as it was."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.store import accounts
from engine.worker import reconciler as module
from engine.worker.reconciler import Reconciler

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=5)


class Books:
    """The minutes of one workspace, each with events that were accepted and receipts of them."""

    def __init__(self, connection: asyncpg.Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connection = connection
        self.workspace_id = new_id()
        self._later = timedelta(0)
        self.reconciler = Reconciler(settings)
        monkeypatch.setattr(module, "read_time", self._read_time)

    async def _read_time(self, _: asyncpg.Connection) -> datetime:
        return datetime.now(UTC) + self._later

    async def accept(self, minute: int, *outcomes: str) -> None:
        """Events of a minute, counted from the first one; a pending one is held."""
        at = START + timedelta(minutes=minute)
        for outcome in outcomes:
            event_id = new_id(at)
            await self.connection.execute(
                "INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, received_at, is_tallied) "
                "VALUES ($1, $2, $2, $3, $4, true)",
                event_id,
                self.workspace_id,
                outcome,
                at,
            )
            if outcome == "pending":
                await self.connection.execute(
                    "INSERT INTO held_event (event_id, trigger_id, kind, key, trigger) "
                    "VALUES ($1, $2, 'batch', '', '')",
                    event_id,
                    self.workspace_id,
                )
        await self.connection.execute(
            "INSERT INTO ingest_tally (workspace_id, minute, accepted) VALUES ($1, $2, $3)",
            self.workspace_id,
            at,
            len(outcomes),
        )

    async def pass_(self, hours: float = 0) -> int:
        """A pass, so much later; the drift."""
        self._later += timedelta(hours=hours)
        return await self.reconciler.make_pass(self.connection)

    async def rows(self) -> list[dict[str, Any]]:
        """The minutes in their order, with what tells whether they were written."""
        rows = await self.connection.fetch("SELECT xmin::text, * FROM ingest_minute ORDER BY minute")
        return [dict(row) for row in rows]


@pytest.fixture
async def books(settings: Settings, clean_database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Books]:
    connection = await asyncpg.connect(clean_database)
    yield Books(connection, settings, monkeypatch)
    await connection.close()


async def test_a_minute_that_is_as_it_was_is_not_written(books: Books) -> None:
    await books.accept(0, "started", "duplicate")
    await books.accept(1, "started", "pending")
    assert await books.pass_() == 0
    first = await books.rows()
    assert [row["is_settled"] for row in first] == [True, False]
    for hours in (0, 0, 2, 2):
        assert await books.pass_(hours) == 0
    assert await books.rows() == first
    await books.connection.execute("DELETE FROM held_event")
    await books.connection.execute("UPDATE inbound_event SET outcome = 'started' WHERE outcome = 'pending'")
    assert await books.pass_() == 0
    settled, changed = await books.rows()
    assert settled == first[0]
    assert (changed["is_settled"], changed["started"], changed["pending"]) == (True, 2, 0)


async def test_minutes_that_stay_open_are_counted_in_turn(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MINUTES_AT_ONCE", 2)
    for minute in range(5):
        await books.accept(minute, "pending")
    for _ in range(3):
        await books.pass_()
    assert [row["pending"] for row in await books.rows()] == [1] * 5
    # What is lost of the last ones is found though the first ones stay as they are.
    await books.connection.execute("DELETE FROM held_event")
    drifts = [await books.pass_() for _ in range(4)]
    assert max(drifts) == 5
    assert drifts == sorted(drifts)


async def test_a_new_minute_is_counted_before_those_that_stay_open(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(4):
        await books.accept(minute, "pending")
    await books.pass_()
    monkeypatch.setattr(accounts, "MINUTES_AT_ONCE", 1)
    await books.accept(4, "started")
    await books.pass_()
    assert [row["is_settled"] for row in await books.rows()] == [False] * 4 + [True]


async def test_all_that_is_settled_is_checked_again_in_a_while(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "MINUTES_AT_ONCE", 2)
    for minute in range(5):
        await books.accept(minute, "started")
    for _ in range(3):
        await books.pass_()
    assert all(row["is_settled"] for row in await books.rows())
    await books.connection.execute("DELETE FROM inbound_event")
    assert await books.pass_() == 0, "what was settled just now need not be checked"
    drifts = [await books.pass_(hours) for hours in (2, 0, 0)]
    assert drifts == [2, 4, 5]
