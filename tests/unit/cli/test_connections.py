"""Trouble with PostgreSQL becomes one line that names the setting and the cure."""

import socket

import asyncpg
import pytest

from cli.connections import check_redis, explain_database, require_version, without_password
from engine.infra.settings import SettingError, Settings

SETTINGS = Settings(database_url="postgresql://ada:pa55word@db.example:5432/flow")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(ConnectionRefusedError(), "nothing listens there", id="refused"),
        pytest.param(FileNotFoundError(), "nothing listens there", id="socket"),
        pytest.param(TimeoutError(), "does not answer within 5 s", id="silent"),
        pytest.param(socket.gaierror(-2, "unknown"), "the host 'db.example' is not known", id="host"),
        pytest.param(asyncpg.InvalidPasswordError("no"), "refuses the user or the password", id="password"),
        pytest.param(asyncpg.InvalidCatalogNameError("no"), "has no database 'flow'", id="database"),
        pytest.param(ValueError("bad port"), "this is no PostgreSQL URL (bad port)", id="url"),
        pytest.param(asyncpg.DiskFullError("disk\nfull"), "DiskFullError: disk full", id="other"),
    ],
)
def test_each_trouble_has_its_words(error: Exception, words: str) -> None:
    message = str(explain_database(error, SETTINGS))
    assert message.startswith("FLOWFORGE_DATABASE_URL=postgresql://ada:***@db.example:5432/flow cannot be used: ")
    assert words in message
    assert "pa55word" not in message
    assert "\n" not in message


def test_a_message_that_is_clear_already_is_kept() -> None:
    error = SettingError("FLOWFORGE_DATABASE_URL is not set.")
    assert explain_database(error, SETTINGS) is error


def test_an_old_server_is_refused() -> None:
    with pytest.raises(SettingError, match=r"PostgreSQL 15 is too old. FlowForge needs 16 or newer"):
        require_version(SETTINGS, 15)


def test_the_oldest_supported_server_is_taken() -> None:
    require_version(SETTINGS, 16)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("redis://:s3cret@h:1/0", "redis://:***@h:1/0", id="password only"),
        pytest.param("postgresql://u:s3cret@h/d", "postgresql://u:***@h/d", id="user and password"),
        pytest.param("postgresql://u@h/d", "postgresql://u@h/d", id="none"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert without_password(url) == shown


async def test_a_socket_of_redis_at_which_nobody_is_is_told_by_its_path() -> None:
    settings = Settings(redis_url="unix://:pa55word@/nowhere/redis.sock?db=0")
    with pytest.raises(SettingError, match=r"\*\*\*@/nowhere/redis.sock.*: /nowhere/redis.sock cannot be reached"):
        await check_redis(settings)
