"""Callers that wait for what a run answers: told by Redis at once; while Redis is silent, journals are looked into."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from app.errors import Busy
from app.runs.hub import HINTS, Hub
from engine.core.events import RunFailed, RunSucceeded, RunTimedOut, StepSucceeded, decode_event
from engine.infra.database import DATABASE_ERRORS
from engine.infra.shares import Shares
from engine.store.answers import find_answer, read_event
from engine.store.payloads import read_payload
from engine.store.runs import load_definition

ANSWER_CHANNEL: Final = "ff:answers"
# How often journals are looked into, should Redis keep silent; more rarely while many wait, so that it stays a trickle.
LOOK_SECONDS: Final = 1.0
LOOKS_A_SECOND: Final = 50
# How long callers go on waiting once the process is to end: others shall be answered in time.
DRAIN_SECONDS: Final = 10.0
MAX_WAITING: Final = 5000
_CACHED_VERSIONS: Final = 1000

_log = structlog.get_logger(__name__)


class Responded(Struct, frozen=True, kw_only=True):
    """What a `respond` step answers."""

    status: int
    headers: dict[str, str]
    body: Any


class Ended(Struct, frozen=True, kw_only=True):
    """The run ended before any step responded: with its output, or in the way that `status` and `message` tell."""

    status: str
    output: Any = None
    message: str = ""


Answer = Responded | Ended


class _Waiting:
    """One run whose answer somebody waits for."""

    def __init__(self, version_id: UUID) -> None:
        self.version_id = version_id
        self.looked_to = 1
        self.future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()


class Answers:
    """The waiting callers of one process, whichever worker has their runs."""

    def __init__(self, pool: asyncpg.Pool, hub: Hub, draining: asyncio.Event) -> None:
        self._pool = pool
        self._hub = hub
        self._draining = draining
        self._waiting: dict[UUID, _Waiting] = {}
        self._places = Shares(MAX_WAITING)
        self._is_awaited = asyncio.Event()
        self._responding: dict[UUID, frozenset[str]] = {}

    @contextlib.contextmanager
    def expect(self, run_id: UUID, version_id: UUID, workspace_id: UUID) -> Iterator[asyncio.Future[Answer]]:
        """Wait for the answer of a run that is about to be accepted: a quick one must not come before.

        Raises Busy where its workspace has as many waiting callers as there may be beside those of others.
        """
        if not self._places.may_take(workspace_id.int):
            raise Busy
        self._places.take(workspace_id.int)
        waiting = self._waiting[run_id] = _Waiting(version_id)
        self._is_awaited.set()
        try:
            yield waiting.future
        finally:
            del self._waiting[run_id]
            self._places.give_back(workspace_id.int)
            if not self._waiting:
                self._is_awaited.clear()

    async def wait(
        self, answer: asyncio.Future[Answer], seconds: float, hang_up: Callable[[], Awaitable[Any]]
    ) -> Answer | None:
        """The answer; None where it does not come in time, or nobody waits any more since `hang_up` returned."""
        ends: list[asyncio.Future[Any]] = [
            asyncio.create_task(self._pass_time(seconds)),
            asyncio.ensure_future(hang_up()),
        ]
        try:
            await asyncio.wait([answer, *ends], return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def run(self) -> None:
        """Follow what is answered until cancelled."""
        async with self._hub.listen(ANSWER_CHANNEL, is_channel=True) as hints:
            looked_at = time.monotonic()
            while True:
                if not self._waiting:
                    await self._is_awaited.wait()
                    looked_at = time.monotonic()
                pause = max(LOOK_SECONDS, len(self._waiting) / LOOKS_A_SECOND)
                told = await hints.wait(max(looked_at + pause - time.monotonic(), 0.0))
                try:
                    await self._take_hints(told)
                    # An empty hint is a subscription that took effect: what was told before may have been missed.
                    if b"" in told or len(told) == HINTS or time.monotonic() >= looked_at + pause:
                        await self._look()
                        looked_at = time.monotonic()
                except DATABASE_ERRORS as error:
                    # The next look finds what was missed.
                    _log.warning("answers_not_read", error=repr(error))
                    looked_at = time.monotonic()

    async def _pass_time(self, seconds: float) -> None:
        """Until so many seconds have passed, or fewer once the process is to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds) as timeout:
                await self._draining.wait()
                soon = asyncio.get_running_loop().time() + DRAIN_SECONDS
                timeout.reschedule(min(timeout.when() or soon, soon))
                await asyncio.Event().wait()

    async def _take_hints(self, told: list[bytes]) -> None:
        first: dict[UUID, int] = {}
        for hint in told:
            run, _, seq = hint.decode().partition(":")
            if seq and UUID(run) in self._waiting:
                first[UUID(run)] = min(int(seq), first.get(UUID(run), int(seq)))
        await asyncio.gather(*(self._take_hint(run_id, self._waiting[run_id], seq) for run_id, seq in first.items()))

    async def _take_hint(self, run_id: UUID, waiting: _Waiting, seq: int) -> None:
        payload = await read_event(self._pool, run_id, seq)
        if payload is None:
            return
        if isinstance(decode_event(payload), StepSucceeded):
            await self._settle(run_id, waiting, payload)
        else:
            # The run has ended. Had a step responded, and were the hint of that lost, its answer would be the one.
            await self._look_into(run_id, waiting)

    async def _look(self) -> None:
        for run_id, waiting in list(self._waiting.items()):
            await self._look_into(run_id, waiting)

    async def _look_into(self, run_id: UUID, waiting: _Waiting) -> None:
        if waiting.future.done():
            return
        responding = await self._find_responding(waiting.version_id)
        found = await find_answer(self._pool, run_id, responding, after=waiting.looked_to)
        waiting.looked_to = found.looked_to
        payload = None if found.seq is None else await read_event(self._pool, run_id, found.seq)
        if payload is not None:
            await self._settle(run_id, waiting, payload)

    async def _settle(self, run_id: UUID, waiting: _Waiting, payload: bytes) -> None:
        if waiting.future.done():
            return
        try:
            answer = await self._read_answer(run_id, payload)
        except (msgspec.MsgspecError, KeyError) as error:
            # It must not keep the others from their answers.
            if not waiting.future.done():
                waiting.future.set_exception(error)
            return
        if not waiting.future.done():
            waiting.future.set_result(answer)

    async def _read_answer(self, run_id: UUID, payload: bytes) -> Answer:
        event = decode_event(payload)
        if isinstance(event, StepSucceeded | RunSucceeded):
            output = event.output
            if event.output_ref is not None:
                output = msgspec.json.decode(await read_payload(self._pool, run_id, event.output_ref.ref) or b"null")
            return (
                msgspec.convert(output, Responded)
                if isinstance(event, StepSucceeded)
                else Ended(status="succeeded", output=output)
            )
        if isinstance(event, RunFailed | RunTimedOut):
            status = "failed" if isinstance(event, RunFailed) else "timed_out"
            return Ended(status=status, message=event.error.message)
        return Ended(status="cancelled", message="the run was cancelled")

    async def _find_responding(self, version_id: UUID) -> frozenset[str]:
        """The ids of the version's `respond` steps, those in loops among them."""
        known = self._responding.get(version_id)
        if known is None:
            definition = msgspec.json.decode(await load_definition(self._pool, version_id))
            known = frozenset(_responding(definition.get("steps", [])))
            if len(self._responding) >= _CACHED_VERSIONS:
                self._responding.pop(next(iter(self._responding)))
            self._responding[version_id] = known
        return known


def _responding(steps: list[dict[str, Any]]) -> Iterator[str]:
    for step in steps:
        if step["type"] == "respond":
            yield step["id"]
        yield from _responding(step.get("steps", []))
