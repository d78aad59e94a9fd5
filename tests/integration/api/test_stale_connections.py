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
            driver = (await transaction.get_raw_connection()).driver_connection
        assert driver is not None
        await other.execute("SELECT pg_terminate_backend($1::int)", first)
        # The server's process is gone a moment before its end is heard of here.
        while not driver.is_closed():
            await asyncio.sleep(0.01)
        async with engine.begin() as transaction:
            second = await transaction.scalar(text("SELECT pg_backend_pid()"))
        assert second != first
    finally:
        await other.close()
        await engine.dispose()
