"""A database that says nothing any more, as behind a network that is cut: who calls is told to come again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError

from app import main
from app.dependencies import driver_connection
from app.runs import lanes
from cli.chaos.proxy import FaultyProxy
from engine.infra import database as infra_database
from engine.infra.database import create_engine, create_pool
from engine.infra.settings import Settings
from tests.integration.api.callers import running
from tests.integration.api.hooks import open_hook
from tests.product import PATIENCE_SECONDS, TRIES

# Of a statement of the second test: who waits for the answers to two of them is out of time.
ANSWER_SECONDS = 2.0


@pytest.mark.without_faults("the database is to answer until it is cut off, and not after")
async def test_a_call_whose_statement_is_never_answered_is_refused_with_503_and_later_ones_are_served(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for whatever is answered, and far from what a caller would wait.
    for module in (main, lanes):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 5.0)
    async with FaultyProxy(settings.database_url) as proxy:
        cut_off = msgspec.structs.replace(settings, database_url=proxy.url)
        async with running(cut_off, beside_another=True) as api:
            caller = await api.sign_in()
            hook = await open_hook(api, caller)
            assert (await hook.post({"n": 1})).status_code == 202
            assert (await caller.client.get("/v1/workflows")).status_code == 200
            proxy.swallow()
            async with asyncio.timeout(PATIENCE_SECONDS):
                reads = [caller.client.get(path) for path in ("/v1/workflows", "/v1/events", "/v1/runs")]
                answers = await asyncio.gather(*reads, hook.post({"n": 2}))
            for answer in answers:
                assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
            proxy.cut()
            await proxy.restore()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await caller.client.get("/v1/workflows")).status_code != 200:
                    await asyncio.sleep(0.05)
                while (await hook.post({"n": 3})).status_code != 202:
                    await asyncio.sleep(0.05)


Ask = Callable[[Callable[[], None], str], Awaitable[None]]
ANOTHER = "SELECT 2"
# Whoever is told that the statement had no answer ends a transaction of their own, on a connection that is closed.
GIVEN_UP = (TimeoutError, InterfaceError)


@asynccontextmanager
async def over_sqlalchemy(settings: Settings) -> AsyncIterator[Ask]:
    database = create_engine(settings, name="api", answer_seconds=ANSWER_SECONDS)

    async def ask_twice(between: Callable[[], None], another: str) -> None:
        async with database.begin() as transaction:
            await transaction.execute(text("SELECT 1"))
            between()
            await transaction.execute(text(another))

    yield ask_twice
    await database.dispose()


@asynccontextmanager
async def over_a_driver(settings: Settings) -> AsyncIterator[Ask]:
    """As handlers do that ask the driver's connection, in the request's transaction."""
    database = create_engine(settings, name="api", answer_seconds=ANSWER_SECONDS)

    async def ask_twice(between: Callable[[], None], another: str) -> None:
        async with database.begin() as transaction:
            connection = await driver_connection(transaction)
            await connection.fetchval("SELECT 1")
            async with connection.transaction():
                between()
                await connection.fetchval(another)

    yield ask_twice
    await database.dispose()


@asynccontextmanager
async def over_a_pool(settings: Settings) -> AsyncIterator[Ask]:
    pool = await create_pool(settings, name="api", size=1)

    async def ask_twice(between: Callable[[], None], another: str) -> None:
        async with pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
            between()
            await connection.fetchval(another)

    yield ask_twice
    await pool.close()


Open = Callable[[Settings], AbstractAsyncContextManager[Ask]]


async def fall_silent(settings: Settings, opens: Open, *, begins: bool) -> float:
    """For how long somebody waits whose first statement gets no answer, or the one after it."""
    silent_at = 0.0

    def swallow() -> None:
        nonlocal silent_at
        silent_at = time.perf_counter()
        proxy.swallow()

    async with FaultyProxy(settings.database_url) as proxy, asyncio.timeout(PATIENCE_SECONDS):
        async with opens(msgspec.structs.replace(settings, database_url=proxy.url)) as ask_twice:
            await ask_twice(lambda: None, ANOTHER)
            if begins:
                swallow()
            with pytest.raises(GIVEN_UP):
                await ask_twice(swallow if not begins else lambda: None, ANOTHER)
            lasted = time.perf_counter() - silent_at
            await proxy.refuse()
        return lasted


@pytest.mark.without_faults("the database is to answer until it is cut off, and not after")
@pytest.mark.parametrize("begins", [True, False], ids=["as it begins", "in the middle"])
@pytest.mark.parametrize("opens", [over_sqlalchemy, over_a_driver, over_a_pool])
async def test_nobody_waits_for_a_second_answer_where_the_first_did_not_come(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, opens: Open, *, begins: bool
) -> None:
    monkeypatch.setattr(infra_database, "ANSWER_SECONDS", ANSWER_SECONDS)
    waits = [await fall_silent(settings, opens, begins=begins)]
    while waits[-1] >= 1.9 * ANSWER_SECONDS:
        assert len(waits) < TRIES, waits
        waits.append(await fall_silent(settings, opens, begins=begins))


@pytest.mark.without_faults("it counts the statements that the database has under way")
@pytest.mark.parametrize("opens", [over_sqlalchemy, over_a_driver, over_a_pool])
async def test_a_statement_that_nobody_waits_for_any_more_ends_at_the_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, opens: Open
) -> None:
    monkeypatch.setattr(infra_database, "ANSWER_SECONDS", ANSWER_SECONDS)
    counting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'flowforge-api' AND state <> 'idle'"
    # What is told of other sessions stays the same for a whole transaction: it is asked for in none.
    observer, holder = [await asyncpg.connect(settings.database_url) for _ in range(2)]
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), holder.transaction(), opens(settings) as ask_twice:
            await holder.execute("LOCK TABLE workflow")
            with pytest.raises(GIVEN_UP):
                await ask_twice(lambda: None, "SELECT count(*) FROM workflow")
            while await observer.fetchval(counting):
                await asyncio.sleep(0.1)
    finally:
        holder.terminate()
        observer.terminate()
