"""The relay process."""

import asyncio
import contextlib
import signal

import uvloop

from engine.infra.bell import HELD_CHANNEL
from engine.infra.logging import configure_logging
from engine.infra.metrics_exchange import publish_metrics
from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from engine.infra.telemetry import configure_telemetry, shutdown_telemetry
from engine.relay.ears import Ears
from engine.relay.loop import Relay
from engine.relay.releaser import Releaser
from engine.relay.scheduler import Scheduler
from engine.store.schedules import SCHEDULE_CHANNEL

# Short, because a batch waits for Redis inside a transaction.
_REDIS_SECONDS = 2.0


def run_relay(settings: Settings) -> int:
    """Publish, fire schedules and release what is held, or stand by, until SIGTERM or SIGINT; the exit code."""
    configure_logging(settings, "relay")
    configure_telemetry(settings, "relay")
    try:
        uvloop.run(_run(settings))
    finally:
        shutdown_telemetry()
    return 0


async def _run(settings: Settings) -> None:
    redis = create_redis(settings, name="relay", timeout=_REDIS_SECONDS, retries=1)
    ears = Ears(HELD_CHANNEL, SCHEDULE_CHANNEL)
    relay, scheduler, releaser = Relay(settings, redis, ears), Scheduler(settings, ears), Releaser(settings, ears)

    def stop() -> None:
        relay.stop()
        scheduler.stop()
        releaser.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    figures = asyncio.create_task(publish_metrics(redis, "relay"))
    try:
        async with asyncio.TaskGroup() as duties:
            duties.create_task(relay.run())
            duties.create_task(scheduler.run())
            duties.create_task(releaser.run())
    finally:
        figures.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await figures
        await redis.aclose()
