"""Can PostgreSQL and Redis be reached, and are they new enough? Trouble becomes one line that names the setting."""

import re
import socket
from urllib.parse import urlsplit

import asyncpg
import redis.exceptions

from engine.infra.database import connect
from engine.infra.redis import create_redis
from engine.infra.settings import SettingError, Settings

OLDEST_POSTGRES = 16
OLDEST_REDIS = 7


def without_password(url: str) -> str:
    """The address with its password masked, fit for messages."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)


def explain_database(error: BaseException, settings: Settings) -> SettingError:
    """What went wrong with FLOWFORGE_DATABASE_URL, and the cure, in one line."""
    parts = urlsplit(settings.database_url)
    match error:
        case SettingError():
            return error
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            reason = "PostgreSQL refuses the user or the password. Correct them in the URL"
        case asyncpg.InvalidCatalogNameError():
            reason = f"PostgreSQL has no database {parts.path.lstrip('/')!r}. Create it, or correct the URL"
        case socket.gaierror():
            reason = f"the host {parts.hostname!r} is not known. Correct the URL"
        case TimeoutError():
            reason = "PostgreSQL does not answer within 5 s. Check the host, the port and the firewall"
        case ConnectionRefusedError() | FileNotFoundError():
            reason = "nothing listens there. Start PostgreSQL, or correct the host and the port"
        case asyncpg.InterfaceError() | ValueError():
            reason = f"this is no PostgreSQL URL ({error}). It looks like postgresql://user:password@host:5432/database"
        case _:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}. Check the server's log"
    return SettingError(f"FLOWFORGE_DATABASE_URL={without_password(settings.database_url)} cannot be used: {reason}.")


async def check_database(settings: Settings) -> str:
    """The version of the PostgreSQL of `settings`; raises SettingError if it cannot be used."""
    try:
        connection = await connect(settings, name="check")
    except Exception as error:
        raise explain_database(error, settings) from None
    try:
        version = connection.get_server_version()
    finally:
        await connection.close()
    require_version(settings, version.major)
    # asyncpg counts in three parts; PostgreSQL has two.
    return f"{version.major}.{version.micro}"


def require_version(settings: Settings, major: int) -> None:
    """Raise SettingError if a PostgreSQL of this major version is too old."""
    if major < OLDEST_POSTGRES:
        raise SettingError(
            f"FLOWFORGE_DATABASE_URL={without_password(settings.database_url)} cannot be used: PostgreSQL {major} is "
            f"too old. FlowForge needs {OLDEST_POSTGRES} or newer: upgrade it, or name another server."
        )


def _explain_redis(error: Exception, url: str) -> SettingError:
    parts = urlsplit(url)
    match error:
        case redis.exceptions.AuthenticationError():
            reason = "Redis refuses the user or the password. Correct them in the URL"
        case redis.exceptions.TimeoutError() | TimeoutError():
            reason = "Redis does not answer within 5 s. Check the host, the port and the firewall"
        case redis.exceptions.ConnectionError():
            place = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
            reason = f"{place} cannot be reached. Start Redis, or correct the URL"
        case _:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}. Check the server's log"
    return SettingError(f"FLOWFORGE_REDIS_URL={without_password(url)} cannot be used: {reason}.")


async def check_redis(settings: Settings) -> tuple[str, str]:
    """Version and eviction policy of the Redis of `settings`; raises SettingError if it cannot be used."""
    url = settings.redis_url
    client = create_redis(settings, name="check", connections=1, timeout=5.0, retries=0)
    try:
        async with client:
            server = await client.info("server")
            memory = await client.info("memory")
    except (redis.exceptions.RedisError, OSError) as error:
        raise _explain_redis(error, url) from None
    version = str(server["redis_version"])
    if int(version.split(".", maxsplit=1)[0]) < OLDEST_REDIS:
        raise SettingError(
            f"FLOWFORGE_REDIS_URL={without_password(url)} cannot be used: Redis {version} is too old. "
            f"FlowForge needs {OLDEST_REDIS} or newer: upgrade it, or name another server."
        )
    return version, str(memory.get("maxmemory_policy", "unknown"))
