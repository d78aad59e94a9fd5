"""Servers and settings that tests share. Nothing has to be set up by hand: servers are started where none are named."""

import asyncio
import gc
import os
import secrets
import signal
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit
from zlib import crc32

import asyncpg
import hypothesis
import pytest

from cli.migrations import migrate
from cli.throwaway import throwaway_servers
from engine.infra.faults import FIRED
from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from tests.product import Product

Result = TypeVar("Result")

# Of the whole session: `./flowforge test --faults RATE:SEED`.
FAULTS_VARIABLE = "FLOWFORGE_TEST_FAULTS"

# How long an example takes depends on who else is at work on the machine. The default profile tries the same ones every
# time, so that a change alone decides what becomes of it; the full one goes on looking for others.
_PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("default", _PATIENT, derandomize=True)
hypothesis.settings.register_profile("full", _PATIENT, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_configure() -> None:
    """Let commands under test be interrupted, even where the tests run in the background and ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of every search for cycles: one among thousands of tests takes a second."""
    gc.collect()
    gc.freeze()


def _in_a_thread(work: Callable[[], Result]) -> Result:
    # pytest-asyncio owns the main thread's loop.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result()


def _run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    return _in_a_thread(lambda: asyncio.run(coroutine))


async def _administer(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[str, str]]:
    """Addresses of PostgreSQL and Redis: those that `./flowforge test` started, or our own."""
    postgres = os.environ.get("FLOWFORGE_TEST_DATABASE_URL")
    valkey = os.environ.get("FLOWFORGE_TEST_REDIS_URL")
    if postgres and valkey:
        yield postgres, valkey
        return
    with throwaway_servers() as addresses:
        yield addresses


@pytest.fixture(scope="session")
def empty_database_url(servers: tuple[str, str]) -> Iterator[str]:
    """A database of this session's own, without any table."""
    server = servers[0]
    name = f"test_{secrets.token_hex(6)}"
    _run(_administer(server, f"CREATE DATABASE {name}"))
    yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    _run(_administer(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def database_url(empty_database_url: str) -> str:
    """A database of this session's own, at the newest revision."""
    _in_a_thread(lambda: migrate(Settings(database_url=empty_database_url)))
    return empty_database_url


@pytest.fixture(scope="session")
def redis_url(servers: tuple[str, str]) -> str:
    """The Redis of this session."""
    return servers[1]


@pytest.fixture
async def clean_database(database_url: str) -> str:
    """The database with every table empty."""
    connection = await asyncpg.connect(database_url)
    try:
        tables = await connection.fetchval(
            """
            SELECT string_agg(quote_ident(c.relname), ', ') FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND c.relname <> 'alembic_version'
            """
        )
        async with connection.transaction():
            # The audit log refuses to be emptied; as a replica the server asks none of its triggers.
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()
    return database_url


@pytest.fixture
async def clean_redis(redis_url: str) -> str:
    """The Redis with no key in it."""
    async with create_redis(Settings(redis_url=redis_url)) as client:
        await client.flushall()
    return redis_url


@pytest.fixture
def database_faults(request: pytest.FixtureRequest) -> str:
    """The faults at the database that the session asks for, by a plan of the test's own; empty without any."""
    rate, _, seed = os.environ.get(FAULTS_VARIABLE, "").partition(":")
    if not rate or request.node.get_closest_marker("without_faults"):
        return ""
    return f"{rate}:{int(seed) ^ crc32(request.node.nodeid.encode())}"


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path, database_faults: str) -> Settings:
    """Settings that point at the servers of this session, with a data folder of the test's own."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        data_dir=str(tmp_path),
        secret_key="MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        test_database_faults=database_faults,
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many faults the tests have lived through."""
    if faults := os.environ.get(FAULTS_VARIABLE):
        fired = ", ".join(f"{kind} {count}" for kind, count in sorted(FIRED.items())) or "none"
        terminalreporter.write_line(f"faults at the database ({faults}), in this process alone: {fired}")


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole product, running: `product.url`, `product.run` (run.json), `product.get`."""
    running = Product(
        tmp_path_factory.mktemp("product") / "data", settings={"FLOWFORGE_HTTP_ALLOW_PRIVATE": "127.0.0.1/32"}
    )
    running.start()
    yield running
    assert running.stop() == 0
