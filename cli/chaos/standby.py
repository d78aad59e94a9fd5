"""A streaming standby of a chaos run's PostgreSQL, and what it takes to let it be the primary."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from cli.chaos.waiting import wait_until
from cli.servers.postgres import Postgres
from cli.servers.postgres_binaries import find_binaries, unprivileged
from cli.servers.process import ServerError, children_of

SYNCHRONOUS_SECONDS = 60.0
_IS_SYNCHRONOUS = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync')"
_BASE_BACKUP = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
# By default it waits so long for its primary's return that a promotion may have to wait as well.
_STANDBY = {"wal_retrieve_retry_interval": "200ms"}


def needs_base_backup() -> str | None:
    """Why no standby can be made here; None where one can."""
    with contextlib.suppress(ServerError):
        folder, _ = find_binaries()
        if (folder / "pg_basebackup").exists():
            return None
    return "needs pg_basebackup, which this PostgreSQL does not come with"


def copy_server(primary: Postgres, folder: Path, *, options: Mapping[str, str]) -> Postgres:
    """A standby of a running server in `folder`, not started yet."""
    binaries, _ = find_binaries()
    data = folder / "data"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    prefix, account = unprivileged(data, binaries)
    shutil.copy2(primary.folder / "password", folder / "password")
    if account is not None:
        for path in (folder, folder / "password"):
            os.chown(path, account, account)
    answer = subprocess.run(
        [*prefix, str(binaries / "pg_basebackup"), *_BASE_BACKUP, "--pgdata", str(data), "--dbname", primary.url],
        capture_output=True,
        text=True,
        check=False,
        user=account,
        group=account,
        extra_groups=None if account is None else [],
    )
    if answer.returncode:
        raise ServerError(f"pg_basebackup failed: {answer.stderr.strip()}")
    return Postgres(folder, sync=False, options={**options, **_STANDBY})


async def make_synchronous(primary: asyncpg.Connection) -> None:
    """Let every commit wait for the standby; returns once it does."""
    await primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await primary.execute("SELECT pg_reload_conf()")

    async def is_synchronous() -> bool:
        return bool(await primary.fetchval(_IS_SYNCHRONOUS))

    if not await wait_until(is_synchronous, seconds=SYNCHRONOUS_SECONDS):
        raise ServerError(f"the standby was not synchronous within {SYNCHRONOUS_SECONDS:.0f} s")


def destroy(server: Postgres) -> None:
    """Let a server end as if its machine had: the postmaster and all its children at once."""
    pid = server.pid
    if not pid:
        return
    children = children_of(pid)
    # First the one that would make others.
    for each in (pid, *children, *children_of(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    while server.poll() is None or any(read_state(child) not in ("", "Z") for child in children):
        time.sleep(0.01)


async def deafen(standby: asyncpg.Connection) -> int:
    """Let the standby hear nothing more of its primary, which is not told so; the process to be continued."""
    receiver = int(await standby.fetchval("SELECT pid FROM pg_stat_wal_receiver"))
    os.kill(receiver, signal.SIGSTOP)
    return receiver


async def promote(standby: asyncpg.Connection) -> None:
    """Make the standby the primary, which waits for no other."""
    if not await standby.fetchval("SELECT pg_promote(true, 60)"):
        raise ServerError("the standby was not promoted within 60 s")
    await standby.execute("ALTER SYSTEM RESET synchronous_standby_names")
    await standby.execute("SELECT pg_reload_conf()")


def read_state(pid: int) -> str:
    """The state of a process by its letter: `T` is stopped, `Z` has ended; empty where there is none."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
