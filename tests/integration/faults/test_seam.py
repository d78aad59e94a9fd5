"""The seam itself: each fault leaves behind what it says, and without the setting there is no seam."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy import text

from engine.infra.database import DATABASE_ERRORS, connect, create_engine, create_pool
from engine.infra.faults import CONNECT_FAULTS, STATEMENT_FAULTS, make_plan, make_seam
from engine.infra.settings import Settings
from tests.integration.faults.script import Script

LOST = ("lost_before", "lost_after")
DONE = ("lost_after", "timeout_after")


@pytest.fixture
async def witness(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE fault_seen (number int)")
    yield connection
    await connection.execute("DROP TABLE fault_seen")
    await connection.close()


@pytest.fixture
async def victim(database_url: str, script: Script, witness: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    seam = make_seam(script.draw)
    connection = await seam.connect(database_url, connection_class=seam.connection_class)
    yield connection
    connection.terminate()


@pytest.mark.parametrize("fault", STATEMENT_FAULTS)
async def test_a_statement_is_carried_out_or_not_and_its_connection_lives_or_not(
    victim: asyncpg.Connection, script: Script, witness: asyncpg.Connection, fault: str
) -> None:
    script.fail_next(fault)
    with pytest.raises(DATABASE_ERRORS):
        await victim.execute("INSERT INTO fault_seen VALUES ($1)", 1)
    assert await witness.fetchval("SELECT count(*) FROM fault_seen") == (fault in DONE)
    assert victim.is_closed() == (fault in LOST)


@pytest.mark.parametrize("fault", STATEMENT_FAULTS)
async def test_a_transaction_whose_commit_fails_is_there_or_not(
    victim: asyncpg.Connection, script: Script, witness: asyncpg.Connection, fault: str
) -> None:
    transaction = victim.transaction()
    await transaction.start()
    await victim.execute("INSERT INTO fault_seen VALUES (1)")
    script.fail_next(fault)
    with pytest.raises(DATABASE_ERRORS):
        await transaction.commit()
    assert await witness.fetchval("SELECT count(*) FROM fault_seen") == (fault in DONE)
    # Nothing is left open in the way of what comes next.
    await witness.execute("TRUNCATE fault_seen")


async def test_a_statement_that_is_cancelled_in_a_transaction_sinks_it(
    victim: asyncpg.Connection, script: Script, witness: asyncpg.Connection
) -> None:
    transaction = victim.transaction()
    await transaction.start()
    await victim.execute("INSERT INTO fault_seen VALUES (1)")
    script.fail_next("timeout_before")
    with pytest.raises(TimeoutError):
        await victim.execute("INSERT INTO fault_seen VALUES (2)")
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await victim.execute("INSERT INTO fault_seen VALUES (3)")
    await transaction.rollback()
    assert await witness.fetchval("SELECT count(*) FROM fault_seen") == 0
    assert await victim.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("fault", CONNECT_FAULTS)
async def test_a_connection_that_fails_is_none(database_url: str, script: Script, fault: str) -> None:
    seam = make_seam(script.draw)
    script.fail_next(fault)
    with pytest.raises(DATABASE_ERRORS):
        await seam.connect(database_url, connection_class=seam.connection_class)


@pytest.mark.parametrize(
    "call", ["execute", "fetch", "fetchval", "fetchrow", "executemany", "cursor", "prepared", "copy"]
)
async def test_no_way_to_carry_a_statement_out_leads_past_the_seam(
    victim: asyncpg.Connection, script: Script, call: str
) -> None:
    async def carry_out() -> Any:
        match call:
            case "executemany":
                return await victim.executemany("SELECT $1::int", [(1,), (2,)])
            case "cursor":
                await victim.transaction().start()
                script.fail_next("lost_before")
                return [row async for row in victim.cursor("SELECT 1")]
            case "prepared":
                statement = await victim.prepare("SELECT 1")
                script.fail_next("lost_before")
                return await statement.fetch()
            case "copy":
                return await victim.copy_records_to_table("fault_seen", records=[(1,)])
            case _:
                return await getattr(victim, call)("SELECT 1")

    if call not in ("cursor", "prepared"):
        script.fail_next("lost_before")
    with pytest.raises(asyncpg.ConnectionDoesNotExistError, match="injected"):
        await carry_out()


def test_the_same_seed_gives_the_same_faults_in_the_same_order() -> None:
    def drawn(seed: str) -> list[str | None]:
        draw = make_plan(0.1, seed)
        return [draw(STATEMENT_FAULTS, "") for _ in range(500)]

    assert drawn("1:api") == drawn("1:api")
    assert drawn("1:api") != drawn("2:api")
    assert set(drawn("1:api")) == {None, *STATEMENT_FAULTS}


@pytest.fixture
def faulty(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, test_database_faults="0.2:5")


async def test_a_pool_has_all_its_connections_whatever_has_failed(faulty: Settings) -> None:
    pool = await create_pool(faulty, name="api", size=3)
    failed = 0
    for number in range(300):
        try:
            async with pool.acquire() as connection, connection.transaction():
                assert await connection.fetchval("SELECT $1::int", number) == number
        except DATABASE_ERRORS:
            failed += 1
    assert failed > 50
    assert pool.get_size() == pool.get_idle_size()
    await pool.close()


async def test_the_engine_of_the_api_fails_by_the_plan_too(faulty: Settings) -> None:
    engine = create_engine(faulty, name="api")
    failed = 0
    for number in range(200):
        try:
            async with engine.begin() as connection:
                assert (await connection.execute(text("SELECT :n"), {"n": str(number)})).scalar() == str(number)
        except Exception:
            failed += 1
    assert failed > 30
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pool that engines have by default
    await engine.dispose()


async def test_without_the_setting_connections_are_those_of_the_driver(settings: Settings) -> None:
    usual = msgspec.structs.replace(settings, test_database_faults="")
    connection = await connect(usual, name="api")
    assert type(connection) is asyncpg.Connection
    assert type(connection._protocol).__module__.startswith("asyncpg.")
    await connection.close()
    pool = await create_pool(usual, name="api", size=1)
    assert pool._connection_class.__base__ is asyncpg.Connection
    async with pool.acquire() as taken:
        assert type(taken._con._protocol).__module__.startswith("asyncpg.")
    await pool.close()


async def test_commands_that_are_given_by_hand_are_left_alone(faulty: Settings) -> None:
    connection = await connect(faulty, name="backup")
    assert type(connection) is asyncpg.Connection
    await connection.close()
