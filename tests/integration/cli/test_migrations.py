"""`migrate` against a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from cli.migrations import current_revision, head, migrate
from engine.infra.settings import SettingError, Settings


@pytest.fixture
async def empty(servers: tuple[str, str]) -> AsyncIterator[Settings]:
    """A database without any table, for one test."""
    connection = await asyncpg.connect(servers[0])
    await connection.execute("CREATE DATABASE migrated")
    yield Settings(database_url=urlunsplit(urlsplit(servers[0])._replace(path="/migrated")))
    await connection.execute("DROP DATABASE migrated WITH (FORCE)")
    await connection.close()


async def test_every_revision_is_applied_once_and_told(empty: Settings) -> None:
    assert await current_revision(empty) == ""
    applied = await asyncio.to_thread(migrate, empty)
    assert applied[0].startswith("0001: ")
    assert applied[-1].startswith(f"{head()}: ")
    assert await current_revision(empty) == head()
    assert await asyncio.to_thread(migrate, empty) == []


async def test_two_at_once_do_it_once(empty: Settings) -> None:
    both = await asyncio.gather(*(asyncio.to_thread(migrate, empty) for _ in range(2)))
    assert sorted(map(bool, both)) == [False, True]


async def test_a_database_of_a_newer_version_is_left_alone(empty: Settings) -> None:
    await asyncio.to_thread(migrate, empty)
    connection = await asyncpg.connect(empty.database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(SettingError, match=r"at revision 9999, which this FlowForge does not know"):
        await asyncio.to_thread(migrate, empty)


async def test_a_server_that_is_too_old_is_told(empty: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.connections.OLDEST_POSTGRES", 99)
    with pytest.raises(SettingError, match=r"FLOWFORGE_DATABASE_URL=.* is too old. FlowForge needs 99 or newer"):
        await asyncio.to_thread(migrate, empty)


async def test_the_password_does_not_show(empty: Settings) -> None:
    wrong = Settings(database_url=empty.database_url.replace("@", "x@"))
    with pytest.raises(SettingError, match="refuses the user or the password") as caught:
        await asyncio.to_thread(migrate, wrong)
    password = urlsplit(wrong.database_url).password
    assert password
    assert password not in str(caught.value)
