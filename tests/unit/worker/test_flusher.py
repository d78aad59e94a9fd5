"""Which entries are committed together, and which next."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from engine.infra.bell import OutboxBell
from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.store.journal import Committed, JournalRow, OutboxMessage, OwnedByOther
from engine.worker import flusher as flusher_module
from engine.worker.flusher import MAX_ROWS, RESOLVED_AT_ONCE, SHARED_ROWS, Entry, Flusher, RunLost


async def never_connect() -> Any:
    raise AssertionError("nothing is written here")


@pytest.fixture
def flusher() -> Flusher:
    """One that nobody runs."""
    return Flusher(1, never_connect, on_commit=lambda _: None, on_contested=lambda _: None, bell=OutboxBell(Settings()))


def submit(flusher: Flusher, workspace: int, count: int, *, rows: int = 1) -> list[Entry]:
    entries = []
    for _ in range(count):
        run_id = new_id()
        row = JournalRow(run_id=run_id, seq=1, kind="step.succeeded", at=datetime.now(UTC), payload=b"{}")
        entry = Entry(
            run_id=run_id,
            workspace=workspace,
            rows=[row] * rows,
            change=None,
            messages=[],
            inbox_ids=[],
            size=2 * rows,
            future=asyncio.get_running_loop().create_future(),
        )
        flusher.submit(entry)
        entries.append(entry)
    return entries


async def test_what_one_workspace_has_waiting_delays_no_other_by_more_than_a_small_batch(flusher: Flusher) -> None:
    flood = submit(flusher, 1, 1000)
    (other,) = submit(flusher, 2, 1)
    batch = flusher._gather()
    assert batch[:2] == [flood[0], other]
    assert len(batch) == SHARED_ROWS
    assert flusher.depth == 1001 - SHARED_ROWS
    assert (flusher.count(1), flusher.count(2)) == (flusher.depth, 0)


async def test_an_entry_that_fills_a_small_batch_keeps_nobody_else_out_of_it(flusher: Flusher) -> None:
    flood = submit(flusher, 1, 10, rows=SHARED_ROWS + 2)
    others = [one for workspace in (2, 3) for one in submit(flusher, workspace, 2)]
    assert flusher._gather() == [flood[0], others[0], others[2]]
    assert flusher._gather() == [flood[1], others[1], others[3]]
    assert flusher._gather() == [flood[2]]


async def test_a_workspace_alone_gets_large_batches_in_its_order(flusher: Flusher) -> None:
    entries = submit(flusher, 1, 1000)
    assert flusher._gather() == entries[:MAX_ROWS]
    assert flusher._gather() == entries[MAX_ROWS:]


async def test_an_entry_stays_whole_however_large(flusher: Flusher) -> None:
    submit(flusher, 1, 2, rows=2 * MAX_ROWS)
    assert [len(entry.rows) for entry in flusher._gather()] == [2 * MAX_ROWS]


async def count_turns(flusher: Flusher, entries: list[Entry]) -> list[int]:
    """How many entries have been told of their commit after each turn of the event loop."""
    flusher._resolve(entries)
    told = [sum(entry.future.done() for entry in entries)]
    while told[-1] < len(entries):
        await asyncio.sleep(0)
        told.append(sum(entry.future.done() for entry in entries))
    return told


async def test_runs_of_a_large_batch_go_on_by_and_by_where_others_are(flusher: Flusher) -> None:
    flood = submit(flusher, 1, 3 * RESOLVED_AT_ONCE)
    (other,) = submit(flusher, 2, 1)
    seen = await count_turns(flusher, [*flood, other])
    assert seen == [RESOLVED_AT_ONCE, 2 * RESOLVED_AT_ONCE, 3 * RESOLVED_AT_ONCE, 3 * RESOLVED_AT_ONCE + 1]


async def test_what_is_committed_of_others_goes_on_before_the_rest_of_a_flood(flusher: Flusher) -> None:
    flood = submit(flusher, 1, 3 * RESOLVED_AT_ONCE)
    (other,) = submit(flusher, 2, 1)
    flusher._resolve(flood)
    flusher._resolve([other])
    await asyncio.sleep(0)
    assert other.future.done()
    assert not flood[-1].future.done()
    assert [entry.future.done() for entry in flood] == sorted((e.future.done() for e in flood), reverse=True)


async def test_runs_of_a_workspace_alone_go_on_together(flusher: Flusher) -> None:
    entries = submit(flusher, 1, 3 * RESOLVED_AT_ONCE)
    assert await count_turns(flusher, entries) == [len(entries)]


class Journal:
    """Answers the flusher's statements by a script, of which each value is given once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, commits: list[Any], looks: list[Any]) -> None:
        self.answers = {"commit_batch": commits, "is_committed": looks}
        for name in self.answers:
            monkeypatch.setattr(flusher_module, name, partial(self._answer, name))

    async def _answer(self, name: str, *_: Any, **__: Any) -> Any:
        answer = self.answers[name].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Connection:
    def is_closed(self) -> bool:
        return False

    def terminate(self) -> None:
        pass


async def connect() -> Any:
    return Connection()


@pytest.mark.parametrize("is_written", [True, False], ids=["written", "another's"])
async def test_a_look_after_a_commit_in_doubt_may_fail_too_and_is_repeated(
    monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    lost, owned = TimeoutError("lost"), OwnedByOther("written by somebody")
    journal = Journal(monkeypatch, commits=[lost, owned], looks=[False, lost, is_written])
    flusher = Flusher(1, connect, on_commit=lambda _: None, on_contested=lambda _: None, bell=OutboxBell(Settings()))
    life = asyncio.create_task(flusher.run())
    (entry,) = submit(flusher, 1, 1)
    async with asyncio.timeout(60):
        if is_written:
            await entry.future
        else:
            with pytest.raises(RunLost):
                await entry.future
    assert journal.answers == {"commit_batch": [], "is_committed": []}
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)


class Bell(OutboxBell):
    """Notes how it is rung."""

    def __init__(self, *, is_awaited: bool) -> None:
        super().__init__(Settings())
        self.is_awaited = is_awaited
        self.heard: list[str] = []

    def ring(self) -> None:
        self.heard.append("now")

    def ring_later(self) -> None:
        self.heard.append("later")

    def may_ring_within(self) -> bool:
        self.heard.append("within")
        return True


@pytest.mark.parametrize(
    ("kinds", "added", "is_awaited", "heard"),
    [
        pytest.param(["event", "event"], 0, False, ["later"], id="nobody waits for events"),
        pytest.param(["event"], 0, True, ["within"], id="somebody does"),
        pytest.param(["event", "inbox"], 0, False, ["within"], id="another run waits"),
        pytest.param(["event", "wake"], 0, False, ["within"], id="a sleeper is to be woken"),
        pytest.param(["event"], 1, False, ["now"], id="a run given up is due already"),
        pytest.param([], 0, False, [], id="nothing is told"),
    ],
)
async def test_only_what_nobody_waits_for_is_left_to_the_relays_next_turn(
    monkeypatch: pytest.MonkeyPatch, kinds: list[str], added: int, is_awaited: bool, heard: list[str]
) -> None:
    rings: list[bool] = []

    async def commit(*_: Any, **options: Any) -> Committed:
        rings.append(options["rings"])
        return Committed(is_alive=True, events=1, runs=0, messages=len(kinds) + added)

    monkeypatch.setattr(flusher_module, "commit_batch", commit)
    bell = Bell(is_awaited=is_awaited)
    flusher = Flusher(1, connect, on_commit=lambda _: None, on_contested=lambda _: None, bell=bell)
    (entry,) = submit(flusher, 1, 1)
    run_id = entry.run_id
    entry.messages = [OutboxMessage(kind=kind, workspace_id=run_id, run_id=run_id, payload=b"{}") for kind in kinds]
    life = asyncio.create_task(flusher.run())
    async with asyncio.timeout(60):
        await entry.future
    assert bell.heard == heard
    assert rings == [heard == ["within"]]
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
