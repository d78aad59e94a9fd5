"""Errands: what a run changes in the database beside its journal. A database that is away is waited for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import asyncpg
import structlog

from engine.infra.database import DATABASE_ERRORS, is_transient
from engine.store.approvals import cancel_approvals, expire_approvals
from engine.store.inbox import drop_messages, put_message

PAUSE_SECONDS = 0.2

Result = TypeVar("Result")

_log = structlog.get_logger()


class Errands:
    """Done until they have succeeded: each may be done twice, where the answer of the first time is lost."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Pool]]) -> None:
        self._connect = connect

    async def cancel_child(self, run_id: UUID, workspace_id: UUID) -> None:
        """Cancel a run that was started for a step which has ended meanwhile."""
        payload = {"by": None, "reason": "parent_ended"}
        await self._insist(lambda pool: put_message(pool, run_id, workspace_id, "cancel", payload))

    async def drop_messages(self, inbox_ids: Sequence[int]) -> None:
        """Throw away messages that have no effect."""
        await self._insist(lambda pool: drop_messages(pool, list(inbox_ids)))

    async def expire_approvals(self, run_id: UUID, steps: Sequence[str], worker_id: int) -> frozenset[str]:
        """Keep everybody from deciding these approvals, which are due; those that nobody has decided."""
        return await self._insist(lambda pool: expire_approvals(pool, run_id, steps, worker_id))

    async def cancel_approvals(self, approval_ids: Sequence[UUID]) -> None:
        """Cancel approvals that somebody was deciding as their steps ended, unless they are decided now."""
        await self._insist(lambda pool: cancel_approvals(pool, approval_ids))

    async def _insist(self, errand: Callable[[asyncpg.Pool], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await errand(await self._connect())
            except DATABASE_ERRORS as error:
                if not is_transient(error):
                    raise
                _log.warning("errand_retried", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)
