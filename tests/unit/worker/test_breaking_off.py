"""Attempts that are broken off: what had begun is journalled with its number, and nothing else begins any more."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from engine.core.decisions import StartAttempt
from engine.core.events import RunEvent, RunQueued, StepCancelled, StepSucceeded, decode_event, encode_event
from engine.core.observations import CancelRequested, Observation, RunClaimed
from engine.core.replay import replay
from engine.infra.http_client import HttpClient
from engine.infra.ids import new_id
from engine.steps.base import StepContext, StepFailure
from engine.steps.compilation import compile_definition
from engine.store.runs import ClaimedRun
from engine.worker import attempts as pipeline
from engine.worker.attempts import AttemptRunner
from engine.worker.driver import Driver
from engine.worker.fair_slots import FairSlots
from engine.worker.flusher import Entry
from engine.worker.host import Host, Work
from tests.product import PATIENCE_SECONDS

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Held:
    """A step type whose attempts are listed by their steps' paths, and end when the test says so."""

    name = "http"
    keeps_timeout = False

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.results: dict[str, asyncio.Future[Any]] = {}

    async def run(self, _config: Any, context: StepContext) -> Any:
        self.begun.append((context.step_id, context.attempt))
        self.results[context.step_id] = result = asyncio.get_running_loop().create_future()
        return await result


class Lease:
    """A lease that is always fresh."""

    is_fresh = True

    async def hold(self) -> None:
        """It is."""


class SteppedHost:
    """A worker with the real pipeline of attempts, whose clock and commits are the test's."""

    is_draining = False
    suspend_after = timedelta(days=30)

    def __init__(self, slots: int) -> None:
        self.clock = self
        self.time = NOW
        self.entries: list[tuple[Entry, asyncio.Future[None]]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self._runner = AttemptRunner(
            clock=self,
            http=cast("HttpClient", None),
            slots=FairSlots(slots, keeps_reserve=False),
            targets=None,
            lease=Lease(),
            on_ongoing=lambda _driver, _observation: None,
            on_start=lambda _driver, _start: None,
        )

    def now(self) -> datetime:
        return self.time

    async def perform(self, driver: Driver, start: StartAttempt) -> Observation:
        return await self._runner.perform(driver, start)

    def submit(self, entry: Entry) -> asyncio.Future[None]:
        commit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.entries.append((entry, commit))
        return commit

    def spawn(self, _driver: Driver, work: Work) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def forget(self, driver: Driver) -> None:
        pass

    def commit(self, count: int | None = None) -> None:
        """Answer so many of the oldest commits, or all."""
        pending = [commit for _, commit in self.entries if not commit.done()]
        for commit in pending[:count]:
            commit.set_result(None)

    def journalled(self) -> list[RunEvent]:
        """Every event so far, committed or not."""
        return [decode_event(row.payload) for entry, _ in self.entries for row in entry.rows]

    def ends(self) -> dict[str, StepCancelled]:
        """How steps were cancelled."""
        return {event.step: event for event in self.journalled() if isinstance(event, StepCancelled)}


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    monkeypatch.setattr(pipeline, "get_action", lambda _type: held)
    monkeypatch.setattr(pipeline, "parse_config", lambda _action, config: config)
    return held


def http(step_id: str, *after: str, **fields: Any) -> dict[str, Any]:
    call = {"method": "GET", "url": "http://shop.example/"}
    return {"id": step_id, "type": "http", "with": call, "after": list(after), "retry": {"max_attempts": 1}, **fields}


def make_driver(host: SteppedHost, *steps: dict[str, Any]) -> Driver:
    graph = compile_definition(msgspec.json.encode({"schema": 1, "steps": steps}))
    queued = RunQueued(at=NOW, trigger={}, input={}, workflow={}, reason="accepted", traceparent=None)
    fields: dict[str, Any] = dict.fromkeys(ClaimedRun.__struct_fields__)
    ids = {name: new_id() for name in ("id", "workspace_id", "workflow_id", "version_id")}
    more = {"version": 1, "attempt": 1, "crashes": 0, "depth": 0, "is_test": False}
    run = ClaimedRun(**(fields | ids | more | {"journal": [(1, encode_event(queued))]}))
    return Driver(cast("Host", host), run, graph, replay(graph, [queued], run_id=str(run.id), attempt=1), queued, {})


async def until(holds: Callable[[], bool]) -> None:
    """Let tasks go on until this holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0)


async def settle() -> None:
    """Let everything go on that can: nothing here waits for anything but the test."""
    for _ in range(50):
        await asyncio.sleep(0)


async def begin(host: SteppedHost, driver: Driver) -> None:
    """Start the run, its start being durable."""
    task = host.spawn(driver, lambda: driver.begin({}))
    await until(lambda: bool(host.entries))
    host.commit()
    await until(task.done)


def cancel(host: SteppedHost, driver: Driver) -> None:
    """Somebody cancels the run."""
    host.spawn(driver, lambda: driver.take_in(CancelRequested(at=host.now(), by="somebody")))


async def finish(host: SteppedHost) -> None:
    """Commit whatever comes, until nothing is under way."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while host.tasks:
            host.commit()
            await asyncio.sleep(0)


def numbers(ends: dict[str, StepCancelled]) -> dict[str, int]:
    return {step: event.attempt for step, event in ends.items()}


async def test_an_attempt_that_is_broken_off_is_journalled_with_its_number_and_times(held: Held) -> None:
    host = SteppedHost(2)
    driver = make_driver(host, http("a"), http("b", "a"))
    await begin(host, driver)
    await until(lambda: "a" in held.results)
    host.time += timedelta(seconds=3)
    cancel(host, driver)
    await finish(host)
    assert host.ends() == {
        "a": StepCancelled(at=host.time, step="a", attempt=1, started_at=NOW, reason="run_cancelled"),
        "b": StepCancelled(at=host.time, step="b", reason="run_cancelled"),
    }
    assert held.results["a"].cancelled()


async def test_what_waits_for_a_slot_never_begins_once_it_is_broken_off(held: Held) -> None:
    host = SteppedHost(1)
    driver = make_driver(host, http("a"), http("b"))
    await begin(host, driver)
    await until(lambda: bool(held.results))
    await settle()
    ((step, _),) = held.begun
    cancel(host, driver)
    await until(lambda: bool(host.ends()))
    # The slot is free before the end of the run is durable.
    held.results[step].set_result(None)
    await settle()
    assert held.begun == [(step, 1)]
    await finish(host)
    assert numbers(host.ends()) == {"a": 0, "b": 0} | {step: 1}
    assert held.begun == [(step, 1)]


async def test_what_is_broken_off_before_its_start_is_durable_never_begins(held: Held) -> None:
    host = SteppedHost(9)
    body = [http("get"), http("put", "get")]
    loop = {"id": "each", "type": "foreach", "with": {"items": "[0, 1]"}, "steps": body}
    driver = make_driver(host, loop, http("rescue", "each.error"))
    await begin(host, driver)
    await until(lambda: {"each[0].get", "each[1].get"} <= held.results.keys())
    held.results["each[0].get"].set_result({})
    await until(lambda: any(isinstance(event, StepSucceeded) for event in host.journalled()))
    held.results["each[1].get"].set_exception(StepFailure("broken", "it is broken"))
    await until(lambda: "each[0].put" in host.ends())
    # `put` of the first item was decided in the first of these commits, and broken off in the second.
    host.commit(1)
    await settle()
    assert {step for step, _ in held.begun} == {"each[0].get", "each[1].get"}
    host.commit()
    await until(lambda: "rescue" in held.results)
    assert numbers(host.ends()) == {"each[0].put": 0, "each[1].put": 0}
    assert {step for step, _ in held.begun} == {"each[0].get", "each[1].get", "rescue"}
    held.results["rescue"].set_result({})
    await finish(host)
    assert driver.state.status == "succeeded"


async def test_siblings_that_a_failure_breaks_off_are_kept(held: Held) -> None:
    host = SteppedHost(9)
    driver = make_driver(host, http("a"), http("b"))
    await begin(host, driver)
    await until(lambda: {"a", "b"} <= held.results.keys())
    held.results["a"].set_exception(StepFailure("broken", "it is broken"))
    await finish(host)
    assert {step: (event.attempt, event.reason) for step, event in host.ends().items()} == {"b": (1, "run_failed")}


async def test_a_driver_that_is_abandoned_while_it_commits_begins_nothing(held: Held) -> None:
    host = SteppedHost(9)
    driver = make_driver(host, http("a"), http("b", "a"))
    await begin(host, driver)
    await until(lambda: "a" in held.results)
    held.results["a"].set_result({})
    await until(lambda: len(host.entries) > 1)
    driver.abandon()
    await finish(host)
    assert held.begun == [("a", 1)]


async def test_what_an_abandoned_driver_had_begun_is_kept_by_its_successor(held: Held) -> None:
    host = SteppedHost(9)
    steps: Sequence[dict[str, Any]] = (http("a"), http("b"))
    driver = make_driver(host, *steps)
    await begin(host, driver)
    await until(lambda: {"a", "b"} <= held.results.keys())
    begun = driver.attempts.begun
    driver.abandon()
    await finish(host)
    host.time += timedelta(seconds=1)
    journal = [(number, encode_event(event)) for number, event in enumerate(host.journalled(), start=2)]
    run = msgspec.structs.replace(driver.run, journal=[*driver.run.journal, *journal])
    events = [decode_event(payload) for _, payload in run.journal]
    state = replay(driver.graph, events, run_id=driver.run_id, attempt=1)
    # Nothing of it begins here before the run is cancelled.
    host.is_draining = True
    fresh = Driver(cast("Host", host), run, driver.graph, state, cast("RunQueued", events[0]), {})
    fresh.attempts.begun = begun
    host.spawn(fresh, lambda: fresh.take_in(RunClaimed(at=host.now())))
    await finish(host)
    cancel(host, fresh)
    await finish(host)
    assert {step: (event.attempt, event.started_at) for step, event in host.ends().items()} == {
        "a": (1, NOW),
        "b": (1, NOW),
    }
