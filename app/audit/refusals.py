"""What is refused is entered beside the call: whoever is refused waits for no write, and learns nothing from its time.

Whoever is refused can come again at once: of one caller and one reason, one refusal a minute is entered, and of one
address that tries many accounts, some.
"""

import asyncio
import contextlib
import time
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct
from msgspec.structs import replace

from app.addresses import find_subscriber
from app.audit import repository
from app.audit.entries import Act, Action, Actor, Target
from app.audit.trail import Origin, find_origin, write_down
from app.auth.principal import Principal
from engine.infra.backoff import Backoff
from engine.infra.database import DATABASE_ERRORS, is_transient

REST_SECONDS: Final = 60.0
MAX_WAITING: Final = 1_000
# How many accounts may be tried from one address in a minute, beyond the throttle, with each of them entered.
ACCOUNTS_AN_ADDRESS: Final = 10
_THROTTLED: Final = {"reason": "throttled"}
_MAX_REMEMBERED: Final = 10_000

_log = structlog.get_logger(__name__)


class _Person(Struct, frozen=True):
    """A user of a workspace, in person or through a key."""

    workspace_id: UUID
    user_id: UUID
    api_key_id: UUID | None = None


class _Key(Struct, frozen=True):
    """An API key of a workspace. Who has it now is not known."""

    workspace_id: UUID


class _Refusal(Struct, frozen=True):
    # By an email it is looked up who that is, beside the call.
    concerned: _Person | _Key | str
    act: Act
    origin: Origin


class Refusals:
    """Notes refusals; `run` enters them in their workspaces' logs."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._waiting: asyncio.Queue[_Refusal] = asyncio.Queue(MAX_WAITING)
        self._rests: dict[tuple[object, ...], float] = {}

    def note_denied(self, principal: Principal, permission: str | None, call: str, detail: str) -> None:
        """Note that the principal asked for what its role does not hold; without a permission, `detail` tells why."""
        why = {"permission": permission, "role": principal.role.value}
        act = Act(
            action=Action.ACCESS_DENIED,
            outcome="refused",
            target=Target(type="call", id=call),
            after=why if permission is not None else {**why, "reason": detail},
        )
        if self._is_due((principal.workspace_id, principal.credential_id, call)):
            person = _Person(principal.workspace_id, principal.user_id, principal.api_key_id)
            self._put(_Refusal(person, act, find_origin()))

    def note_wrong_password(
        self, workspace_id: UUID, user_id: UUID, action: Action, *, is_throttled: bool = False
    ) -> None:
        """Note that somebody gave a wrong password of this user's, or one too many to look at; `action`: what for."""
        act = Act(action=action, outcome="refused", after=_THROTTLED if is_throttled else None)
        # Each that was looked at is entered: the throttle lets few of them pass.
        if not is_throttled or self._is_due((action, user_id)):
            self._put(_Refusal(_Person(workspace_id, user_id), act, find_origin()))

    def note_ended_key(self, workspace_id: UUID, key_id: UUID, name: str, reason: str) -> None:
        """Note that somebody came with an API key that was good once; `reason`: why it is so no more."""
        if self._is_due((workspace_id, key_id)):
            target = Target(type="api_key", id=str(key_id), name=name)
            act = Act(action=Action.API_KEY_REFUSED, outcome="refused", target=target, after={"reason": reason})
            self._put(_Refusal(_Key(workspace_id), act, find_origin()))

    def note_throttled(self, email: str, address: str) -> None:
        """Note that a sign-in was refused unseen, be there such an account or not."""
        address = find_subscriber(address)
        if self._is_due((email, address)) and any(
            self._is_due((address, place)) for place in range(ACCOUNTS_AN_ADDRESS)
        ):
            act = Act(action=Action.SESSION_REFUSED, outcome="refused", after=_THROTTLED)
            self._put(_Refusal(email, act, find_origin()))

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

    def _is_due(self, kind: tuple[object, ...]) -> bool:
        """Whether none of this kind was noted a short time ago; from now on, one was."""
        now = time.monotonic()
        if self._rests.get(kind, 0.0) > now:
            return False
        while len(self._rests) >= _MAX_REMEMBERED:
            del self._rests[next(iter(self._rests))]
        self._rests.pop(kind, None)
        self._rests[kind] = now + REST_SECONDS
        return True

    def _put(self, refusal: _Refusal) -> None:
        try:
            self._waiting.put_nowait(refusal)
        except asyncio.QueueFull:
            _log.warning("refusal_not_entered", action=refusal.act.action.value, address=refusal.origin.address)

    async def _enter_patiently(self, refusal: _Refusal) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._enter(refusal)
            except DATABASE_ERRORS as error:
                if not is_transient(error):
                    # The same would happen every time, and others wait behind it.
                    _log.exception("refusal_not_entered", action=refusal.act.action.value)
                    return
                _log.warning("refusal_not_entered_yet", error=repr(error))
                await asyncio.sleep(backoff.pause())
            else:
                return

    async def _enter(self, refusal: _Refusal) -> None:
        person = refusal.concerned
        if isinstance(person, str):
            found = await repository.find_person(self._pool, person)
            if found is None:
                # There is no such account, and so no workspace that it concerns.
                return
            person = _Person(*found)
        if isinstance(person, _Key):
            await write_down(self._pool, person.workspace_id, Actor(), refusal.act, refusal.origin)
            return
        actor = await repository.find_actor(self._pool, person.user_id, person.api_key_id)
        act = refusal.act
        if act.action is not Action.ACCESS_DENIED:
            # Who it was is not known: the user is what it was tried on.
            act = replace(act, target=Target(type="user", id=str(person.user_id), name=actor.email))
            actor = Actor()
        await write_down(self._pool, person.workspace_id, actor, act, refusal.origin)
