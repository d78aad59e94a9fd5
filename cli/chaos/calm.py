"""After the faults: everything has to come to its end, and the last requests of every role have to be fine."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import msgspec
from msgspec import structs

from cli.chaos.cluster import Cluster
from cli.chaos.facts import Facts, Ingest, Tail
from cli.chaos.ledger import read_ledger
from cli.chaos.load import Delivery, Load
from cli.chaos.queries import (
    count_connections,
    read_ends,
    read_events,
    read_living_pids,
    read_ports_in_use,
    read_remainder,
    read_runs,
    read_workers,
    read_working_pids,
)
from cli.chaos.waiting import wait_until
from cli.chaos.watching import Watcher
from cli.chaos.workflows import API, WEBHOOK

CALM_SECONDS = 60.0
TAIL_STARTS = 5
TAIL_GAP_SECONDS = 0.08
PAGE = 100
STEPS_SHOWN = 40


async def come_to_rest(cluster: Cluster, load: Load) -> float:
    """Wait until all is accepted and done; the seconds that it took, at most about `CALM_SECONDS` twice."""
    began = time.monotonic()
    await wait_until(cluster.are_apis_ready, seconds=CALM_SECONDS)
    await load.settle(CALM_SECONDS)
    async with _connected(cluster) as connection:
        await wait_until(partial(_do_workers_live, cluster, connection), seconds=CALM_SECONDS)
        await wait_until(partial(_is_at_rest, connection), seconds=CALM_SECONDS)
    return time.monotonic() - began


async def ask_every_role(cluster: Cluster, load: Load) -> Tail:
    """Five starts of each kind at each API, and as many more as it takes until every worker has done some work."""
    sent: dict[str, list[Delivery]] = {}
    for number, api in enumerate(cluster.apis):
        for source in (WEBHOOK, API):
            sent[f"{api.name} ({source.trigger})"] = [load.send(source, api=number) for _ in range(TAIL_STARTS)]
    await load.settle(CALM_SECONDS)
    tail = Tail(
        sent={name: len(starts) for name, starts in sent.items()},
        # What took a second try was not fine.
        accepted={name: sum(start.is_smooth for start in starts) for name, starts in sent.items()},
    )
    tail.idle_workers = await _wait_for_workers(cluster, load, [one for starts in sent.values() for one in starts])
    tail.silent_relays = await _wait_for_relays(cluster)
    await load.settle(CALM_SECONDS)
    return tail


async def _wait_for_workers(cluster: Cluster, load: Load, starts: list[Delivery]) -> list[str]:
    """The names of the workers that did nothing although there was work."""
    names = {process.pid: process.name for process in cluster.of("worker")}
    deadline = time.monotonic() + CALM_SECONDS
    async with _connected(cluster) as connection:
        while True:
            run_ids = [start.run_id for start in starts if start.run_id is not None]
            idle = names.keys() - await read_working_pids(connection, run_ids)
            missing = names.keys() - await read_living_pids(connection)
            if not idle or time.monotonic() > deadline:
                return sorted(names[pid] for pid in idle | missing)
            # One by one: what comes together is often taken by one worker together.
            starts.append(load.send(WEBHOOK))
            await asyncio.sleep(TAIL_GAP_SECONDS)


async def _wait_for_relays(cluster: Cluster) -> list[str]:
    """The names of the relays that from now on ask PostgreSQL nothing."""
    since, silent = time.time(), {relay.name: relay for relay in cluster.of("relay")}
    async with _connected(cluster) as connection:

        async def do_all_ask() -> bool:
            ports = await read_ports_in_use(connection, since)
            for name in [name for name, relay in silent.items() if relay.postgres.ports.keys() & ports]:
                del silent[name]
            return not silent

        await wait_until(do_all_ask, seconds=CALM_SECONDS)
    return sorted(silent)


async def gather_facts(cluster: Cluster, load: Load, watcher: Watcher, tail: Tail, complaints: list[str]) -> Facts:
    """Everything that is known, once nothing moves any more."""
    statuses, steps = await _ask_api(cluster)
    stats = await cluster.call("GET", "/v1/stats?window=24h")
    async with _connected(cluster) as connection:
        for run_id, end in (await read_ends(connection, 0.0)).items():
            watcher.first_ends.setdefault(run_id, end)
        workers = [
            structs.replace(worker, changed_at=watcher.fenced_at.get(worker.id, worker.changed_at))
            for worker in await read_workers(connection)
        ]
        return Facts(
            deliveries=load.deliveries,
            runs=await read_runs(connection),
            events=await read_events(connection),
            workers=workers,
            effects=read_ledger(cluster.ledger),
            first_ends=watcher.first_ends,
            api_statuses=statuses,
            api_steps=steps,
            ingest=msgspec.convert(stats["ingest"], Ingest),
            remainder=await read_remainder(connection),
            tail=tail,
            memory_mib=watcher.memory_mib,
            connections=max(watcher.connections, await count_connections(connection)),
            complaints=complaints,
        )


async def _ask_api(cluster: Cluster) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The status of all runs as the API lists them, and of the steps of some."""
    statuses: dict[str, str] = {}
    cursor = ""
    while True:
        page = await cluster.call("GET", f"/v1/runs?limit={PAGE}{cursor}")
        statuses |= {run["id"]: run["status"] for run in page["items"]}
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    steps = {}
    for run_id in list(statuses)[:: max(len(statuses) // STEPS_SHOWN, 1)]:
        run = await cluster.call("GET", f"/v1/runs/{run_id}", api=1)
        steps[run_id] = {step["path"]: step["status"] for step in run["steps"]}
    return statuses, steps


async def _do_workers_live(cluster: Cluster, connection: asyncpg.Connection) -> bool:
    return {process.pid for process in cluster.of("worker")} <= await read_living_pids(connection)


async def _is_at_rest(connection: asyncpg.Connection) -> bool:
    left = await read_remainder(connection)
    return not any((left.unfinished, left.owned, left.outbox, left.inbox))


@contextlib.asynccontextmanager
async def _connected(cluster: Cluster) -> AsyncIterator[asyncpg.Connection]:
    connection = await cluster.connect()
    try:
        yield connection
    finally:
        await connection.close()
