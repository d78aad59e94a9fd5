"""What an event costs that comes alone, by process: CPU time and wake-ups, without what the product does anyway."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from msgspec import Struct

from cli.bench.figures import BenchFailed, Figure, percentiles
from cli.bench.hooks import Connection
from cli.bench.processes import Usage, read_usage
from cli.bench.stage import Stage

EVENTS_PER_SECOND = 1000 / 60
CPU_PERCENT = 10.0
BODY = b'{"id":7,"type":"order.created","customer":{"name":"Ada Lovelace","mail":"ada@example.com"},"total":129.5}'
# The first ones pay for what is kept afterwards: plans, connections, the compiled graph.
WARM_EVENTS = 20
SETTLE_SECONDS = 3.0
WAIT_SECONDS = 10.0


class _Sample(Struct, frozen=True):
    """A moment: what each process of a role has used until then, and what the servers have counted."""

    at: float
    used: dict[tuple[str, int], Usage]
    cpu_seconds: float
    transactions: int
    redis_commands: int


async def measure(stage: Stage) -> list[Figure]:
    """1,000 events a minute, evenly, for a workflow of one `transform`; before them as long without any event."""
    transform = {"id": "only", "type": "transform", "with": {"values": {"total": "{{ trigger.body.total }}"}}}
    hook = await stage.product.publish("lone", [transform])
    count = stage.scale(1000, 300)
    connection = await Connection.open(hook.url)
    try:
        await _send(connection, WARM_EVENTS)
        await asyncio.sleep(SETTLE_SECONDS)
        before = await _look(stage)
        await asyncio.sleep(count / EVENTS_PER_SECOND)
        between = await _look(stage)
        answers_ms = await _send(connection, count)
        after = await _look(stage)
    finally:
        connection.close()
    await stage.ledger.wait(hook.workflow_id, WARM_EVENTS + count, seconds=WAIT_SECONDS)
    return [*_sum_up(before, between, after, count), *percentiles("webhook to answer", answers_ms)]


async def _send(connection: Connection, count: int) -> list[float]:
    """Send events, each at its moment whatever the one before took; how long each was waited for."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    answers_ms = []
    for number in range(count):
        await asyncio.sleep(began + number / EVENTS_PER_SECOND - loop.time())
        # The loop's own time stands still within a turn.
        sent_at = time.monotonic()
        status, body = await connection.send(BODY)
        if status != HTTPStatus.ACCEPTED:
            raise BenchFailed(f"a webhook was answered {status}: {body.decode(errors='replace')}")
        answers_ms.append((time.monotonic() - sent_at) * 1000)
    return answers_ms


async def _look(stage: Stage) -> _Sample:
    sessions = await stage.ledger.sessions()
    used = {}
    for role, pids in stage.product.processes().items():
        for pid in pids:
            name = f"postgres {sessions.get(pid, 'itself')}" if role == "postgres" else role
            used[name, pid] = read_usage(pid)
    return _Sample(
        asyncio.get_running_loop().time(),
        used,
        sum(stage.product.cpu_seconds().values()),
        await stage.ledger.count_transactions(),
        await stage.product.count_redis_commands(),
    )


def _sum_up(before: _Sample, between: _Sample, after: _Sample, count: int) -> Iterator[Figure]:
    idle_seconds, seconds = between.at - before.at, after.at - between.at
    longer = seconds / idle_seconds
    idle = _add_up(before, between)
    loaded = _add_up(between, after)
    lone = {role: usage - idle.get(role, Usage()).times(longer) for role, usage in loaded.items()}
    cpu = (after.cpu_seconds - between.cpu_seconds) / seconds * 100
    yield Figure(name="CPU in all", value=cpu, unit="% of a core", at_most=CPU_PERCENT)
    idle_cpu = (between.cpu_seconds - before.cpu_seconds) / idle_seconds * 100
    yield Figure(name="CPU without any event", value=idle_cpu, unit="% of a core")
    yield from _tell_usage("an event", lone, count)
    yield from _tell_usage("a second without any", idle, idle_seconds)
    for name in ("transactions", "redis_commands"):
        without = (getattr(between, name) - getattr(before, name)) * longer
        value = (getattr(after, name) - getattr(between, name) - without) / count
        yield Figure(name=f"{name.replace('_', ' ')} an event", value=value, unit="")


def _add_up(first: _Sample, last: _Sample) -> dict[str, Usage]:
    """What each role used between two moments; of processes that ended in between nothing is known."""
    used: dict[str, Usage] = {}
    for (role, pid), usage in last.used.items():
        used[role] = used.get(role, Usage()) + usage - first.used.get((role, pid), Usage())
    return used


def _tell_usage(what: str, used: Mapping[str, Usage], count: float) -> Iterator[Figure]:
    in_all = sum(used.values(), Usage())
    told = {"in all": in_all, **dict(sorted(used.items()))}
    for role, usage in told.items():
        if role != "in all" and not usage.wakes:
            continue
        yield Figure(name=f"{what}: CPU, {role}", value=usage.cpu_seconds / count * 1_000_000, unit="µs")
    yield Figure(name=f"{what}: CPU, the kernel's part", value=in_all.kernel_seconds / count * 1_000_000, unit="µs")
    for role, usage in told.items():
        if role == "in all" or usage.wakes:
            yield Figure(name=f"{what}: wakes, {role}", value=usage.wakes / count, unit="")
