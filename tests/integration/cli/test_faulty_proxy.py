"""The proxy of chaos takes servers away in each of its ways, before a real PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from cli.chaos.proxy import FaultyProxy
from tests.product import PATIENCE_SECONDS

NAME = "flowforge-proxied"


@pytest.fixture
async def proxy(servers: tuple[str, str]) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(servers[0]) as opened:
        yield opened


async def connect(proxy: FaultyProxy, name: str = NAME) -> asyncpg.Connection:
    return await asyncpg.connect(proxy.url, timeout=PATIENCE_SECONDS, server_settings={"application_name": name})


async def test_a_statement_whose_answer_is_lost_is_done(proxy: FaultyProxy) -> None:
    spared, victim = await connect(proxy, "flowforge-other"), await connect(proxy)
    await spared.execute("CREATE TABLE lost_answer (n int)")
    try:
        # The statement is prepared by then: what is lost is the answer to its execution.
        await victim.fetch("INSERT INTO lost_answer VALUES ($1) RETURNING n", 1)
        proxy.drop_answers(1, NAME)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await victim.fetch("INSERT INTO lost_answer VALUES ($1) RETURNING n", 2)
        assert [row["n"] for row in await spared.fetch("SELECT n FROM lost_answer ORDER BY n")] == [1, 2]
        assert proxy.dropped == 1
    finally:
        await spared.execute("DROP TABLE lost_answer")
        await spared.close()
        victim.terminate()


async def test_a_mute_server_does_what_it_is_asked_and_says_nothing(
    proxy: FaultyProxy, servers: tuple[str, str]
) -> None:
    victim, witness = await connect(proxy), await asyncpg.connect(servers[0])
    proxy.mute()
    asked = asyncio.create_task(victim.execute("CREATE TABLE said_nothing ()"))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await witness.fetchval("SELECT to_regclass('said_nothing') IS NOT NULL"):
                await asyncio.sleep(0.01)
        done, _ = await asyncio.wait({asked}, timeout=0.2)
        assert not done
    finally:
        victim.terminate()
        await asyncio.gather(asked, return_exceptions=True)
        await witness.execute("DROP TABLE IF EXISTS said_nothing")
        await witness.close()


async def test_a_partition_ends_as_if_nothing_had_been(proxy: FaultyProxy) -> None:
    connection = await connect(proxy)
    proxy.swallow()
    asked = asyncio.create_task(connection.fetchval("SELECT 7"))
    done, _ = await asyncio.wait({asked}, timeout=0.2)
    assert not done
    await proxy.restore()
    assert await asked == 7
    await connection.close()


async def test_a_partition_may_concern_connections_of_one_name(proxy: FaultyProxy) -> None:
    spared, victim = await connect(proxy, "flowforge-other"), await connect(proxy)
    proxy.swallow(NAME)
    asked = asyncio.create_task(victim.fetchval("SELECT 7"))
    assert await spared.fetchval("SELECT 8") == 8
    # A new one of the name gets no further than its greeting.
    with pytest.raises(TimeoutError):
        await asyncpg.connect(proxy.url, timeout=0.3, server_settings={"application_name": NAME})
    assert not asked.done()
    await proxy.restore()
    assert await asked == 7
    await victim.close()
    await spared.close()


async def test_refused_connections_are_cut_and_come_back(proxy: FaultyProxy) -> None:
    connection = await connect(proxy)
    await proxy.refuse()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    with pytest.raises(OSError, match=r"."):
        await connect(proxy)
    await proxy.restore()
    back = await connect(proxy)
    assert await back.fetchval("SELECT 1") == 1
    await back.close()
    connection.terminate()


async def test_latency_is_added_in_both_directions(proxy: FaultyProxy) -> None:
    connection = await connect(proxy)
    proxy.slow_down(0.1)
    began = time.monotonic()
    assert await connection.fetchval("SELECT 1") == 1
    assert time.monotonic() - began >= 0.2
    await proxy.restore()
    await connection.close()


async def test_the_server_knows_connections_by_the_ports_that_are_told(proxy: FaultyProxy) -> None:
    connection = await connect(proxy)
    query = "SELECT client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    assert proxy.ports == {await connection.fetchval(query): NAME}
    await connection.close()
