"""A worker's incarnation is the fence of all that it writes: it is made once, and for good."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from engine.infra.clock import DatabaseClock
from engine.infra.database import connect
from engine.infra.settings import Settings
from engine.store.leases import beat, register_worker
from engine.store.starts import read_clock
from engine.worker import lease as lease_module
from engine.worker.lease import Lease
from engine.worker.loading import RunLoader


async def is_on_disk(connection: asyncpg.Connection) -> bool:
    """Whether all that this server has written so far would survive its crash."""
    query = "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()"
    return bool(await connection.fetchval(query))


async def test_an_incarnation_is_on_the_disk_before_its_worker_knows_of_it(
    settings: Settings, clean_database: str
) -> None:
    connection = await connect(settings, name="lazy", synchronous_commit="off")
    try:
        ids, are_on_disk = [], []
        for _ in range(5):
            ids.append(await register_worker(connection, name="worker", host="here", pid=1))
            are_on_disk.append(await is_on_disk(connection))
        # One of five would do: the server itself may have written something in between.
        assert any(are_on_disk)
        # Of the connection's other commits nobody waits for the disk.
        await connection.execute("UPDATE worker SET heartbeat_at = now()")
        assert await connection.fetchval("SHOW synchronous_commit") == "off"
        assert ids == sorted(set(ids))
    finally:
        await connection.close()


async def test_a_first_answer_that_is_slow_puts_no_new_workers_clock_back(
    settings: Settings, clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def beat_slowly(
        connection: asyncpg.Connection, worker_id: int, in_flight: Mapping[UUID, int] | None = None
    ) -> datetime | None:
        now = await beat(connection, worker_id, in_flight)
        await asyncio.sleep(1)
        return now

    monkeypatch.setattr(lease_module, "beat", beat_slowly)
    clock = DatabaseClock()
    lease = Lease(lambda: connect(settings, name="test"), clock, beat_seconds=1, ttl_seconds=5)
    witness = await asyncpg.connect(clean_database)
    try:
        await lease.acquire()
        behind = await read_clock(witness) - clock.now()
    finally:
        lease.close()
        await witness.close()
    assert behind < timedelta(seconds=0.8)


async def test_however_many_need_connections_at_first_one_pool_is_made(settings: Settings, database_url: str) -> None:
    loader = RunLoader(settings)
    try:
        pools = await asyncio.gather(*(loader.connected() for _ in range(10)))
        assert len({id(pool) for pool in pools}) == 1
        assert await pools[0].fetchval("SELECT 1") == 1
    finally:
        await loader.close()
