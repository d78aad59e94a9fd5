"""The log of rejected calls: counted in memory, written once a second, and only a few of each kind.

Whoever sends what is refused can send a lot of it: no such call costs a write of its own. What was counted within the
last second is lost with its process; nothing that was accepted is among it.
"""

import asyncio
import contextlib
from collections import Counter
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from engine.infra import metrics
from engine.infra.clock import Clock
from engine.infra.database import DATABASE_ERRORS
from engine.infra.ids import new_id
from engine.store.origins import WebhookOrigin
from engine.store.rejections import Rejection, record_rejections

INTERVAL_SECONDS: Final = 1.0
# In an interval, of one trigger by one reason, and of all.
MOST_OF_A_KIND: Final = 3
MOST_SAMPLES: Final = 300
MOST_WORKSPACES: Final = 10_000

_log = structlog.get_logger(__name__)


class Rejections:
    """Counts rejected calls; `run` writes them down."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._noted = asyncio.Event()
        self._counts: Counter[UUID] = Counter()
        self._kinds: Counter[tuple[UUID, str]] = Counter()
        self._samples: list[Rejection] = []

    def note(self, origin: WebhookOrigin | None, reason: str) -> None:
        """Count a call that was refused with this code; without a trigger it belongs to nobody."""
        metrics.INGEST_EVENTS.labels("rejected").inc()
        metrics.INGEST_REJECTED.labels(reason).inc()
        if origin is None:
            return
        if origin.workspace_id in self._counts or len(self._counts) < MOST_WORKSPACES:
            self._counts[origin.workspace_id] += 1
        kind = (origin.trigger_id, reason)
        if len(self._samples) < MOST_SAMPLES and self._kinds[kind] < MOST_OF_A_KIND:
            self._kinds[kind] += 1
            at = self._clock.now()
            self._samples.append(
                Rejection(
                    id=new_id(at),
                    workspace_id=origin.workspace_id,
                    trigger_id=origin.trigger_id,
                    reason=reason,
                    at=at,
                )
            )
        self._noted.set()

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while True:
                await self._noted.wait()
                await asyncio.sleep(INTERVAL_SECONDS)
                await self._write()
        finally:
            with contextlib.suppress(*DATABASE_ERRORS):
                await self._write()

    async def _write(self) -> None:
        self._noted.clear()
        counts, samples = self._counts, self._samples
        self._counts, self._samples, self._kinds = Counter(), [], Counter()
        if not counts:
            return
        try:
            await record_rejections(self._pool, samples, counts)
        except DATABASE_ERRORS as error:
            # The next time, with what came meanwhile; whether this was written is not known.
            _log.warning("rejections_not_written", error=repr(error))
            self._counts.update(counts)
            self._samples = [*samples, *self._samples][:MOST_SAMPLES]
            self._noted.set()
