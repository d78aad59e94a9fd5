import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from engine.infra.settings import Settings
from tests.migration.databases import BEFORE_PARTITIONS, fill, go_to


@pytest.fixture
async def empty(servers: tuple[str, str]) -> AsyncIterator[Settings]:
    """A database without any table, for one test."""
    name = f"migrated_{secrets.token_hex(4)}"
    server = await asyncpg.connect(servers[0])
    await server.execute(f"CREATE DATABASE {name}")
    yield Settings(database_url=urlunsplit(urlsplit(servers[0])._replace(path=f"/{name}")), redis_url=servers[1])
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


@pytest.fixture
async def older(empty: Settings) -> Settings:
    """A database from before there were partitions, with runs in it."""
    await go_to(empty, BEFORE_PARTITIONS)
    await fill(empty, 3000)
    return empty
