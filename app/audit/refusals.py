"""What is refused is entered beside the call: whoever is refused waits for no write, and learns nothing from its time.

Whoever is refused can come again at once: of one caller and one reason, one refusal a minute is entered.
"""

import asyncio
import contextlib
import time
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct

from app.audit import repository
from app.audit.entries import Action, Actor, Event, Target
from app.audit.trail import Origin, find_origin, write_down
from app.auth.principal import Principal
from engine.infra.backoff import Backoff
from engine.infra.database import DATABASE_ERRORS, is_transient

REST_SECONDS: Final = 60.0
MAX_WAITING: Final = 1_000
_MAX_REMEMBERED: Final = 10_000

_log = structlog.get_logger(__name__)


class _Refusal(Struct, frozen=True):
    workspace_id: UUID
    user_id: UUID
    api_key_id: UUID | None
    event: Event
    origin: Origin


class Refusals:
    """Notes refusals; `run` enters them in their workspaces' logs."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._waiting: asyncio.Queue[_Refusal] = asyncio.Queue(MAX_WAITING)
        self._rests: dict[tuple[object, ...], float] = {}

    def note_denied(self, principal: Principal, permission: str | None, call: str) -> None:
        """Note that the principal asked for what its role does not hold."""
        event = Event(
            action=Action.ACCESS_DENIED,
            outcome="refused",
            target=Target(type="call", id=call),
            after={"permission": permission, "role": principal.role.value},
        )
        refusal = _Refusal(principal.workspace_id, principal.user_id, principal.api_key_id, event, find_origin())
        self._note(refusal, (principal.workspace_id, principal.credential_id, call))

    def note_wrong_password(self, workspace_id: UUID, user_id: UUID, action: Action) -> None:
        """Note that somebody gave a wrong password of this user's; `action` tells what for."""
        event = Event(action=action, outcome="refused", target=Target(type="user", id=str(user_id)))
        # Each is entered: the throttle lets few of them pass.
        self._put(_Refusal(workspace_id, user_id, None, event, find_origin()))

    async def settle(self) -> None:
        """Wait until everything that was noted by now is entered."""
        await self._waiting.join()

    async def run(self) -> None:
        """Enter what was noted until cancelled, and then what is left."""
        try:
            while True:
                await self._enter_patiently(await self._waiting.get())
                self._waiting.task_done()
        finally:
            with contextlib.suppress(*DATABASE_ERRORS):
                while not self._waiting.empty():
                    await self._enter(self._waiting.get_nowait())

    def _note(self, refusal: _Refusal, kind: tuple[object, ...]) -> None:
        now = time.monotonic()
        if self._rests.get(kind, 0.0) > now:
            return
        while len(self._rests) >= _MAX_REMEMBERED:
            del self._rests[next(iter(self._rests))]
        self._rests.pop(kind, None)
        self._rests[kind] = now + REST_SECONDS
        self._put(refusal)

    def _put(self, refusal: _Refusal) -> None:
        try:
            self._waiting.put_nowait(refusal)
        except asyncio.QueueFull:
            _log.warning("refusal_not_entered", action=refusal.event.action.value, user_id=str(refusal.user_id))

    async def _enter_patiently(self, refusal: _Refusal) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._enter(refusal)
            except DATABASE_ERRORS as error:
                if not is_transient(error):
                    # The same would happen every time, and others wait behind it.
                    _log.exception("refusal_not_entered", action=refusal.event.action.value)
                    return
                _log.warning("refusal_not_entered_yet", error=repr(error))
                await asyncio.sleep(backoff.pause())
            else:
                return

    async def _enter(self, refusal: _Refusal) -> None:
        actor = await repository.find_actor(self._pool, refusal.user_id, refusal.api_key_id)
        if refusal.event.action is not Action.ACCESS_DENIED:
            # Who it was is not known: the user is what it was tried on.
            target = Target(type="user", id=str(refusal.user_id), name=actor.email)
            event = Event(action=refusal.event.action, outcome="refused", target=target)
            await write_down(self._pool, refusal.workspace_id, Actor(), event, refusal.origin)
            return
        await write_down(self._pool, refusal.workspace_id, actor, refusal.event, refusal.origin)
