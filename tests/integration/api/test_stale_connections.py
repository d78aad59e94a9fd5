"""A connection that the server has closed is not handed out again."""

import asyncio

import asyncpg
from sqlalchemy import text

from engine.infra.database import create_engine
from engine.infra.settings import Settings


async def test_a_connection_closed_by_the_server_is_replaced_in_silence(settings: Settings) -> None:
    engine = create_engine(settings, name="test")
    other = await asyncpg.connect(settings.database_url)
    try:
        async with engine.begin() as transaction:
            first = await transaction.scalar(text("SELECT pg_backend_pid()"))
        await other.execute("SELECT pg_terminate_backend($1::int)", first)
        while await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", first):
            await asyncio.sleep(0.01)
        async with engine.begin() as transaction:
            second = await transaction.scalar(text("SELECT pg_backend_pid()"))
        assert second != first
    finally:
        await other.close()
        await engine.dispose()
