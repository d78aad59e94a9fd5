"""The worker process: arq brings run ids, the engine drives them; SIGTERM drains."""

import asyncio
import contextlib
import resource
import signal
from uuid import UUID

import structlog
import uvloop
from redis.asyncio import Redis

from engine.infra.backoff import Backoff
from engine.infra.bell_worker import BellWorker
from engine.infra.database import DATABASE_ERRORS
from engine.infra.garbage import collect_garbage, relax_garbage_collection
from engine.infra.http_client import HttpClient
from engine.infra.logging import configure_logging
from engine.infra.metrics_exchange import publish_metrics
from engine.infra.pubsub import Subscriber
from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from engine.infra.telemetry import configure_telemetry, shutdown_telemetry
from engine.steps.plugins import tell_of_plugins
from engine.steps.registry import plugin_reports
from engine.worker.engine import Engine
from engine.worker.flusher import WorkerFenced
from engine.worker.reconciler import Reconciler
from engine.worker.retention import Retention

INBOX_CHANNEL = "ff:inbox"
HAND_OVER_SECONDS = 5.0

_log = structlog.get_logger()


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT; the exit code."""
    configure_logging(settings, "worker")
    configure_telemetry(settings, "worker")
    tell_of_plugins(plugin_reports())
    _raise_open_files()
    relax_garbage_collection()
    try:
        return uvloop.run(_Process(settings).run())
    finally:
        shutdown_telemetry()


def _raise_open_files() -> None:
    """Every request in flight is an open file: take all that the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Process:
    """One process: an engine after the other, should one lose its lease, under the same doorbell."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        redis = create_redis(self._settings, name="worker")
        try:
            async with HttpClient(self._settings) as http:
                bells = BellWorker(
                    self._settings, activate=self._activate, sweep=self._sweep, on_turn=self._note_relay_turn
                )
                side = [
                    asyncio.create_task(bells.run()),
                    asyncio.create_task(self._listen(redis)),
                    asyncio.create_task(publish_metrics(redis, "worker")),
                    asyncio.create_task(collect_garbage()),
                    asyncio.create_task(Retention(self._settings).run()),
                    asyncio.create_task(Reconciler(self._settings).run()),
                ]
                try:
                    await self._keep_engine(redis, http, bells)
                finally:
                    for task in side:
                        task.cancel()
                    await asyncio.gather(*side, return_exceptions=True)
        finally:
            await redis.aclose()
        return 0

    async def _keep_engine(self, redis: Redis, http: HttpClient, bells: BellWorker) -> None:
        backoff = Backoff()
        stopping = asyncio.create_task(self._stop.wait())
        while not self._stop.is_set():
            engine = Engine(self._settings, redis, http)
            ready = asyncio.Event()
            life = asyncio.create_task(engine.run(ready))
            starting = asyncio.create_task(ready.wait())
            await asyncio.wait({life, stopping, starting}, return_when=asyncio.FIRST_COMPLETED)
            if ready.is_set():
                backoff.reset()
                self._engine = engine
                await asyncio.wait({life, stopping}, return_when=asyncio.FIRST_COMPLETED)
            starting.cancel()
            if self._stop.is_set() and ready.is_set() and not life.done():
                bells.stop()
                await self._drain(engine)
            self._engine = None
            await _end(life)
            if not self._stop.is_set():
                await asyncio.sleep(backoff.pause())
        stopping.cancel()

    async def _drain(self, engine: Engine) -> None:
        seconds = self._settings.drain_seconds
        try:
            async with asyncio.timeout(seconds + HAND_OVER_SECONDS):
                await engine.drain(seconds)
        except DATABASE_ERRORS as error:
            # The others find the lease run out, as after a crash.
            _log.warning("drain_incomplete", error=repr(error))

    async def _activate(self, run_ids: list[UUID], traceparent: str | None) -> None:
        if self._engine is not None:
            await self._engine.activate(run_ids, traceparent)

    async def _sweep(self) -> None:
        if self._engine is not None:
            await self._engine.sweep()

    def _note_relay_turn(self, is_awaited: bool) -> None:
        if self._engine is not None:
            self._engine.note_relay_turn(is_awaited)

    async def _listen(self, redis: Redis) -> None:
        async with contextlib.aclosing(Subscriber(redis, [INBOX_CHANNEL]).messages()) as messages:
            async for message in messages:
                if message.payload is not None and self._engine is not None:
                    with contextlib.suppress(ValueError):
                        self._engine.read_inbox_soon(UUID(message.payload.decode()))


async def _end(life: asyncio.Task[None]) -> None:
    life.cancel()
    try:
        await life
    except asyncio.CancelledError:
        pass
    except WorkerFenced:
        _log.warning("worker_starts_anew")
    except DATABASE_ERRORS as error:
        _log.warning("database_unavailable", error=repr(error))
    except Exception:
        _log.exception("engine_failed")
