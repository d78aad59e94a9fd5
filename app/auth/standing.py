"""Whether those whose answer goes on for as long as they like may still have it: live streams outlast their tokens.

A guard looks when a call begins. Here every few seconds one look at the database serves all that go on in a process;
while there are none, it is not asked.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.auth.permissions import PERMISSIONS, Permission, Role, weaker_of
from app.auth.principal import Principal
from app.auth.queries import find_roles_of_keys, find_roles_of_sessions

# Together with the pause in which a silent stream looks for events, within the 5 s in which every end takes hold.
LOOK_SECONDS: Final = 2.0
# Where the database cannot be asked for so long, nobody's standing is known any more.
UNKNOWN_SECONDS: Final = 60.0

_Credential: TypeAlias = UUID | tuple[UUID | None, UUID, UUID]

_log = structlog.get_logger()


class Watched:
    """Somebody whose answer goes on, what it asks for, and whether it must end."""

    def __init__(self, principal: Principal, permission: Permission) -> None:
        self.principal = principal
        self.permission = permission
        self.has_ended = False


class Standing:
    """Knows whose answers go on, and ends those of whoever may not have them any more."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database
        self._watched: set[Watched] = set()
        self._is_somebody_there = asyncio.Event()

    def __len__(self) -> int:
        """How many answers go on."""
        return len(self._watched)

    @contextlib.contextmanager
    def watch(self, principal: Principal, permission: Permission) -> Iterator[Watched]:
        """Within, `has_ended` turns true once session or key, user or membership have ended, or the permission has."""
        watched = Watched(principal, permission)
        self._watched.add(watched)
        self._is_somebody_there.set()
        try:
            yield watched
        finally:
            self._watched.discard(watched)
            if not self._watched:
                self._is_somebody_there.clear()

    async def run(self) -> None:
        """Look until cancelled."""
        looked_at = time.monotonic()
        while True:
            if not self._watched:
                await self._is_somebody_there.wait()
                looked_at = time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception as error:
                _log.warning("standing_unknown", error=repr(error), answers=len(self))
                if time.monotonic() - looked_at >= UNKNOWN_SECONDS:
                    for one in self._watched:
                        one.has_ended = True
            else:
                looked_at = time.monotonic()

    async def look(self) -> None:
        """Look once, at all who are there by now."""
        # Whoever comes meanwhile was looked at by the guard.
        watched = list(self._watched)
        if not watched:
            return
        roles = await self._find_roles([one.principal for one in watched])
        for one in watched:
            role = roles.get(_name(one.principal))
            one.has_ended |= role is None or one.permission not in PERMISSIONS[role]

    async def _find_roles(self, principals: Sequence[Principal]) -> dict[_Credential, Role]:
        """The roles of those credentials that go on."""
        session_ids = {one.session_id for one in principals if one.session_id is not None}
        key_ids = {one.api_key_id for one in principals if one.api_key_id is not None}
        async with self._database.begin() as connection:
            sessions = await find_roles_of_sessions(connection, session_ids) if session_ids else {}
            keys = await find_roles_of_keys(connection, key_ids) if key_ids else {}
        roles: dict[_Credential, Role] = {session: Role(role) for session, role in sessions.items()}
        roles.update({key_id: weaker_of(Role(role), Role(makers)) for key_id, (role, makers) in keys.items()})
        return roles


def _name(principal: Principal) -> _Credential:
    """A key, which is of one workspace, or a session as a user's in a workspace."""
    if principal.api_key_id is not None:
        return principal.api_key_id
    return (principal.session_id, principal.user_id, principal.workspace_id)
