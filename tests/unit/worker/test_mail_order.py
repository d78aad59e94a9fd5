"""What lies in a run's inbox is taken in in its order, however slowly commits come."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from engine.core.decisions import StartChild
from engine.core.events import RunEvent, RunQueued, RunStarted, decode_event, encode_event
from engine.core.observations import ApprovalDecided, CancelRequested, ChildEnded, ChildStarted, SignalReceived
from engine.core.replay import replay
from engine.core.statuses import RunStatus
from engine.infra.ids import new_id
from engine.steps.compilation import compile_definition
from engine.store.runs import ClaimedRun
from engine.worker.driver import Driver
from engine.worker.flusher import Entry, WorkerFenced
from engine.worker.host import Host, Message, Work

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class SlowHost:
    """A worker whose commits come when the test says so."""

    is_draining = False
    suspend_after = timedelta(days=30)

    def __init__(self) -> None:
        self.clock = self
        self.entries: list[Entry] = []
        self.commits: list[asyncio.Future[None]] = []
        self.dropped: list[int] = []
        self.children: list[asyncio.Future[ChildStarted]] = []

    def now(self) -> datetime:
        return NOW

    def submit(self, entry: Entry) -> asyncio.Future[None]:
        self.entries.append(entry)
        self.commits.append(asyncio.get_running_loop().create_future())
        return self.commits[-1]

    def spawn(self, _driver: Driver, work: Work) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work())

    async def start_child(self, _driver: Driver, _start: StartChild) -> ChildStarted:
        self.children.append(asyncio.get_running_loop().create_future())
        return await self.children[-1]

    def forget(self, driver: Driver) -> None:
        pass

    async def drop_messages(self, inbox_ids: Sequence[int]) -> None:
        self.dropped.extend(inbox_ids)

    async def commit_until_done(self, *tasks: "asyncio.Task[None]") -> None:
        """Commit whatever comes, until the tasks have ended."""
        async with asyncio.timeout(60):
            while not all(task.done() for task in tasks):
                await self._commit()
        await asyncio.gather(*tasks)

    async def _commit(self) -> None:
        if pending := [commit for commit in self.commits if not commit.done()]:
            for commit in pending:
                commit.set_result(None)
        await asyncio.sleep(0)


@pytest.fixture
def host() -> SlowHost:
    return SlowHost()


WAITS: list[dict[str, Any]] = [
    {"id": f"w{n}", "type": "wait", "with": {"signal": "go"}, "after": [f"w{n - 1}"] if n else []} for n in range(3)
]


def make_driver(host: SlowHost, *, is_started: bool, steps: Sequence[dict[str, Any]] = WAITS) -> Driver:
    """The driver of a run: by default with three waits for the signal `go`, one behind the other."""
    graph = compile_definition(msgspec.json.encode({"schema": 1, "steps": steps}))
    queued = RunQueued(at=NOW, trigger={}, input={}, workflow={}, reason="accepted", traceparent=None)
    events: list[RunEvent] = [queued, RunStarted(at=NOW, deadline_at=NOW + timedelta(days=1), vars={})]
    journal = [(seq, encode_event(event)) for seq, event in enumerate(events[: 2 if is_started else 1], 1)]
    fields: dict[str, Any] = dict.fromkeys(ClaimedRun.__struct_fields__)
    ids = {name: new_id() for name in ("id", "workspace_id", "workflow_id", "version_id")}
    run = ClaimedRun(
        **(fields | ids | {"version": 1, "attempt": 1, "crashes": 0, "depth": 0, "is_test": False, "journal": journal})
    )
    state = replay(graph, [decode_event(payload) for _, payload in journal], run_id=str(run.id), attempt=1)
    return Driver(cast("Host", host), run, graph, state, queued, {})


def signals(*numbers: int) -> list[Message]:
    """Signals with these numbers as payloads and inbox ids."""
    return [Message(inbox_id=n, observation=SignalReceived(at=NOW, name="go", payload=n, by=None)) for n in numbers]


def payloads(driver: Driver) -> list[Any]:
    """The payloads as the steps took them."""
    return [driver.state.scope["steps"][f"w{n}"]["output"] for n in range(3)]


@pytest.mark.parametrize("is_started", [True, False], ids=["goes on", "starts"])
async def test_signals_keep_their_order_over_batches_that_come_while_others_are_committed(
    host: SlowHost, is_started: bool
) -> None:
    driver = make_driver(host, is_started=is_started)
    begun = asyncio.create_task(driver.begin({}, messages=signals(1, 2)))
    await asyncio.sleep(0)
    later = [asyncio.create_task(driver.take(signals(3))), asyncio.create_task(driver.take(signals(4)))]
    await host.commit_until_done(begun, *later)
    assert payloads(driver) == [1, 2, 3]
    assert [inbox_id for entry in host.entries for inbox_id in entry.inbox_ids] == [1, 2, 3]


async def test_a_batch_does_not_overtake_what_is_left_of_the_one_before(host: SlowHost) -> None:
    driver = make_driver(host, is_started=True)
    begun = asyncio.create_task(driver.begin({}))
    await host.commit_until_done(begun)
    batches = [asyncio.create_task(driver.take(batch)) for batch in (signals(1, 2), signals(3))]
    await host.commit_until_done(*batches)
    assert payloads(driver) == [1, 2, 3]
    assert driver.state.status is RunStatus.SUCCEEDED


async def test_a_request_to_cancel_waits_for_no_other_message(host: SlowHost) -> None:
    driver = make_driver(host, is_started=True)
    begun = asyncio.create_task(driver.begin({}, messages=signals(1)))
    await asyncio.sleep(0)
    cancel = Message(inbox_id=9, observation=CancelRequested(at=NOW, by=None, reason="requested"))
    later = asyncio.create_task(driver.take([*signals(2), cancel]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert driver.state.status is RunStatus.CANCELLED
    await host.commit_until_done(begun, later)


async def test_the_end_of_a_child_waits_until_its_start_is_known(host: SlowHost) -> None:
    child = str(new_id())
    step = {"id": "child", "type": "workflow", "with": {"workflow_id": str(new_id())}}
    driver = make_driver(host, is_started=False, steps=[step])
    await host.commit_until_done(asyncio.create_task(driver.begin({})))
    while not host.children:
        await asyncio.sleep(0)
    # The answer to its start is on the way, or was lost and is asked for again: it has run to its end meanwhile.
    end = Message(inbox_id=7, observation=ChildEnded(at=NOW, step="child", run_id=child, output={"n": 1}))
    taken = asyncio.create_task(driver.take([end]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert host.dropped == []
    host.children[0].set_result(ChildStarted(at=NOW, step="child", run_id=child))
    await host.commit_until_done(taken)
    assert driver.state.status is RunStatus.SUCCEEDED
    assert driver.state.scope["steps"]["child"]["output"] == {"n": 1}
    assert host.dropped == []


@pytest.mark.parametrize("is_durable", [True, False], ids=["is durable", "is not to be"])
async def test_a_message_without_effect_is_thrown_away_only_if_what_was_decided_before_it(
    host: SlowHost, is_durable: bool
) -> None:
    driver = make_driver(host, is_started=True)
    await host.commit_until_done(asyncio.create_task(driver.begin({})))
    decided = ApprovalDecided(at=NOW, step="nobody", decision="approved", comment=None, by=None, decided_at=NOW)
    taken = asyncio.create_task(driver.take([*signals(1), Message(inbox_id=9, observation=decided)]))
    for _ in range(10):
        await asyncio.sleep(0)
    assert host.dropped == []
    if is_durable:
        await host.commit_until_done(taken)
        assert host.dropped == [9]
        return
    # Whoever has the run next decides anew, and may want it.
    host.commits[-1].set_exception(WorkerFenced())
    with pytest.raises(WorkerFenced):
        await taken
    for _ in range(10):
        await asyncio.sleep(0)
    assert host.dropped == []
