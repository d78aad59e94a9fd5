"""What `doctor` looks at: each check says what it found, and the cure where something is wrong."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import asyncpg
import msgspec
from msgspec import Struct

from cli.connections import check_database, check_redis, explain_database
from cli.isolation import explain
from cli.listening import require_port
from cli.migrations import current_revision, head
from cli.run_file import RunFile
from cli.servers.postgres_binaries import find_binaries
from cli.servers.process import ServerError, command_line
from cli.servers.valkey import find_binary
from cli.signing_in import look_at_provider
from engine.infra.database import connect
from engine.infra.settings import SettingError, Settings
from engine.steps.registry import plugin_reports, step_types
from engine.store.isolation import IS_READY, NAME_OF_ROLE

# A worker declares another dead by PostgreSQL's clock; logs and tokens go by this machine's.
CLOCK_WARNING_SECONDS = 1.0
CLOCK_FAILURE_SECONDS = 30.0
DISK_WARNING_BYTES = 1024**3
DISK_FAILURE_BYTES = 100 * 1024**2
OPEN_FILES_WANTED = 4096


class Finding(Struct, frozen=True, kw_only=True):
    """The outcome of one check."""

    check: str
    outcome: Literal["ok", "warn", "fail"]
    message: str


class Diagnosis:
    """All checks of one configuration. A product that runs on the data folder names its own servers."""

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.data_dir)
        self._running = _running(self._folder)
        self._settings = msgspec.structs.replace(
            settings,
            database_url=settings.database_url or _url_of(self._running, "postgres"),
            redis_url=settings.redis_url or _url_of(self._running, "redis"),
        )

    async def examine(self) -> list[Finding]:
        """Run every check; none of them changes anything."""
        findings = [Finding(check="configuration", outcome="ok", message="every setting can be read"), check_python()]
        findings += await self._examine_database()
        findings.append(await self._examine_redis())
        if (seen := await look_at_provider(self._settings)) is not None:
            findings.append(Finding(check="provider", outcome=seen[0], message=seen[1]))
        findings += [self._examine_port(), *check_folder(self._folder), check_open_files(), *check_step_types()]
        return findings

    async def _examine_database(self) -> list[Finding]:
        if not self._settings.database_url:
            return [_embedded("database", find_binaries, "PostgreSQL")]
        try:
            version = await check_database(self._settings)
            return [
                Finding(check="database", outcome="ok", message=f"PostgreSQL {version} answers"),
                await self._examine_migrations(),
                await self._examine_isolation(),
                await self._examine_clock(),
            ]
        except (SettingError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return [Finding(check="database", outcome="fail", message=str(explain_database(error, self._settings)))]

    async def _examine_migrations(self) -> Finding:
        current, newest = await current_revision(self._settings), head()
        if current == newest:
            return Finding(check="migrations", outcome="ok", message=f"at the newest revision, {newest}")
        message = f"the database is at {current or 'no revision'}, the newest is {newest}. Run `./flowforge migrate`."
        return Finding(check="migrations", outcome="fail", message=message)

    async def _examine_isolation(self) -> Finding:
        if self._settings.row_security == "off":
            message = "row-level security is switched off (FLOWFORGE_ROW_SECURITY)"
            return Finding(check="isolation", outcome="warn", message=message)
        connection = await connect(self._settings, name="doctor")
        try:
            role, is_ready = await connection.fetchval(NAME_OF_ROLE), await connection.fetchval(IS_READY)
        finally:
            await connection.close()
        if is_ready:
            return Finding(check="isolation", outcome="ok", message=f"row-level security holds for {role}")
        outcome: Literal["warn", "fail"] = "fail" if self._settings.row_security == "required" else "warn"
        return Finding(check="isolation", outcome=outcome, message=explain(role, "it is not there, or not granted"))

    async def _examine_clock(self) -> Finding:
        connection = await connect(self._settings, name="doctor")
        try:
            before = time.time()
            theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
            ours = datetime.fromtimestamp((before + time.time()) / 2, UTC)
        finally:
            await connection.close()
        return judge_clock((theirs - ours).total_seconds())

    async def _examine_redis(self) -> Finding:
        if not self._settings.redis_url:
            return _embedded("redis", find_binary, "Redis")
        try:
            version, policy = await check_redis(self._settings)
        except SettingError as error:
            return Finding(check="redis", outcome="fail", message=str(error))
        if policy != "noeviction":
            message = (
                f"Redis {version} evicts keys ({policy}); wake-ups then get lost until the next sweep. "
                "Set maxmemory-policy noeviction."
            )
            return Finding(check="redis", outcome="warn", message=message)
        return Finding(check="redis", outcome="ok", message=f"Redis {version} answers, evicts nothing")

    def _examine_port(self) -> Finding:
        if self._running:
            return Finding(check="port", outcome="ok", message=f"FlowForge runs at {self._running['url']}")
        try:
            require_port(self._settings)
        except SettingError as error:
            return Finding(check="port", outcome="fail", message=str(error))
        return Finding(check="port", outcome="ok", message=f"{self._settings.host}:{self._settings.port} is free")


def check_python() -> Finding:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(check="python", outcome="ok", message=f"Python {version} in {sys.prefix}")


def check_step_types() -> Iterator[Finding]:
    """The step types that installed packages add, and those of them that cannot be used."""
    reports = plugin_reports()
    added = [f"{report.name} ({report.package})" for report in reports if not report.error]
    message = f"{len(step_types())} in use" + (f", among them {', '.join(added)}" if added else "")
    yield Finding(check="step types", outcome="ok", message=message)
    for report in reports:
        if report.error:
            message = f"{report.name} of {report.package} is left out: {report.error}. Mend or uninstall the package."
            yield Finding(check="step types", outcome="warn", message=message)


def judge_clock(seconds: float) -> Finding:
    """What a difference to PostgreSQL's clock means."""
    message = f"PostgreSQL's clock is {seconds:+.3f} s from ours"
    if abs(seconds) < CLOCK_WARNING_SECONDS:
        return Finding(check="clock", outcome="ok", message=message)
    outcome: Literal["warn", "fail"] = "fail" if abs(seconds) > CLOCK_FAILURE_SECONDS else "warn"
    return Finding(check="clock", outcome=outcome, message=f"{message}. Synchronise both machines (NTP).")


def check_folder(folder: Path) -> Iterator[Finding]:
    """Whether the data folder can be written, and how much room there is."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        message = f"FLOWFORGE_DATA_DIR={folder}: {existing} cannot be written. Name a folder that you may write to."
        yield Finding(check="data folder", outcome="fail", message=message)
        return
    yield Finding(check="data folder", outcome="ok", message=f"{folder.absolute()} can be written")
    yield judge_disk(shutil.disk_usage(existing).free)


def judge_disk(free: int) -> Finding:
    """What this many free bytes mean."""
    message = f"{free / 1024**3:.1f} GiB free"
    if free >= DISK_WARNING_BYTES:
        return Finding(check="disk", outcome="ok", message=message)
    outcome: Literal["warn", "fail"] = "fail" if free < DISK_FAILURE_BYTES else "warn"
    return Finding(check="disk", outcome=outcome, message=f"{message}. Make room, or move FLOWFORGE_DATA_DIR.")


def check_open_files() -> Finding:
    """The limit of open files: every request in flight is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return Finding(check="open files", outcome="ok", message=f"up to {soft}")
    cure = f"Run `ulimit -n {wanted}` before the start" + (" (as root)." if 0 <= hard < wanted else ".")
    return Finding(check="open files", outcome="warn", message=f"only {soft} may be open at once. {cure}")


def worst(findings: Sequence[Finding]) -> Literal["ok", "warn", "fail"]:
    """The worst outcome among the findings."""
    outcomes = {finding.outcome for finding in findings}
    return "fail" if "fail" in outcomes else "warn" if "warn" in outcomes else "ok"


def _embedded(check: str, find: Callable[[], object], server: str) -> Finding:
    try:
        find()
    except ServerError as error:
        return Finding(check=check, outcome="fail", message=str(error))
    return Finding(check=check, outcome="ok", message=f"`up` will start the embedded {server}; it does not run now")


def _running(folder: Path) -> dict[str, Any]:
    content = RunFile(folder / "run.json").read()
    api = content.get("api")
    return content if isinstance(api, dict) and "cli.main" in command_line(int(api.get("pid") or 0)) else {}


def _url_of(running: dict[str, Any], server: str) -> str:
    entry = running.get(server)
    return str(entry.get("url", "")) if isinstance(entry, dict) else ""
