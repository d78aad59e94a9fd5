"""PostgreSQL's own programs that dump and restore, found as the server's are, and how they are told where."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from cli.servers.postgres_binaries import PROVIDERS
from cli.servers.process import ServerError
from engine.infra.settings import Settings


def find_program(name: str, server: int) -> Path:
    """A program of PostgreSQL's for a server of this major version: of the same one, else of the next newer one."""
    versions = sorted((major, path) for path in _candidates(name) if (major := _version(path)) >= server)
    if not versions:
        raise ServerError(
            f"No {name} of PostgreSQL {server} or newer is here. Install PostgreSQL's client programs, or name their "
            "folder in FLOWFORGE_POSTGRES_BIN."
        )
    return versions[0][1]


def address(settings: Settings) -> tuple[str, dict[str, str]]:
    """The database's address without the password, as an argument, and the environment that holds the password."""
    parts = urlsplit(re.sub(r"^postgres(ql)?(\+asyncpg)?://", "postgresql://", settings.database_url))
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    url = urlunsplit(parts._replace(netloc=f"{name}@{host}" if name else host))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "FLOWFORGE_"))}
    return url, {**kept, "PGPASSWORD": unquote(password), "PGAPPNAME": "flowforge-backup", "LC_ALL": "C"}


def _candidates(name: str) -> Iterator[Path]:
    for _, folders in PROVIDERS:
        yield from (folder / name for folder in folders())
    if found := shutil.which(name):
        yield Path(found)


def _version(program: Path) -> int:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(match[1]) if match else 0
