"""A whole product to be broken: servers, two APIs, two relays, three workers, the target, and proxies between them."""

import asyncio
import contextlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any, Self

import aiohttp
import asyncpg
import msgspec

from cli.chaos.processes import Keeper, Process
from cli.chaos.servers import Servers
from cli.migrations import migrate
from cli.servers.ports import find_free_port
from cli.servers.process import ServerError, last_line
from cli.steps import ROOT, environment
from engine.infra.settings import Settings

APIS, RELAYS, WORKERS = 2, 2, 3


class _Check(msgspec.Struct):
    status: str


class _Readiness(msgspec.Struct):
    checks: dict[str, _Check]


READY_SECONDS = 60.0
# Longer waits than this leave the memory of a worker: pauses of chaos runs are of both kinds.
SUSPEND_SECONDS = 1.0


class Cluster:
    """Started by `async with`; nothing of it is left afterwards but, on request, its folder with logs and ledger."""

    def __init__(self, seed: int, *, keep: bool, has_small_disks: bool = False) -> None:
        self._seed = seed
        self._keep = keep
        self.folder = Path(tempfile.mkdtemp(prefix="flowforge-chaos-"))
        # Under root, PostgreSQL runs as another account, which must get through.
        self.folder.chmod(0o711)
        self.logs = self.folder / "logs"
        self.ledger = self.folder / "ledger.jsonl"
        self.servers = Servers(self.folder, has_small_disks=has_small_disks)
        self.processes: list[Process] = []
        self.target = ""
        self.token = ""
        self.is_broken = False
        self.keeper = Keeper(self.processes)
        self._target: subprocess.Popen[bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def apis(self) -> list[Process]:
        """The APIs."""
        return self.of("api")

    def of(self, role: str) -> list[Process]:
        """All processes of a role."""
        return [process for process in self.processes if process.role == role]

    async def __aenter__(self) -> Self:
        try:
            self.logs.mkdir()
            await self.servers.start()
            settings = Settings(database_url=self.servers.postgres.url)
            await asyncio.to_thread(migrate, settings)
            self._start_target()
            self.processes += self._make_processes()
            for process in self.processes:
                await process.open()
            self._keeping = asyncio.create_task(self.keeper.run())
            await self._wait_until_ready()
            await self._set_up()
        except BaseException as error:
            self.is_broken = isinstance(error, Exception)
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
        await asyncio.gather(*(process.close() for process in self.processes))
        if self._target is not None:
            self._target.communicate()
        await self.servers.stop()
        if not (self._keep or self.is_broken):
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for data in self.folder.glob("*/data"):
            shutil.rmtree(data, ignore_errors=True)

    def follow_postgres(self) -> None:
        """Lead all processes to the PostgreSQL that is the primary now; what they have open is cut."""
        for process in self.processes:
            process.postgres.move(self.servers.postgres.url)
            process.postgres.cut()

    async def connect(self) -> asyncpg.Connection:
        """A connection to PostgreSQL itself, not through any proxy."""
        return await asyncpg.connect(
            self.servers.postgres.url,
            timeout=5,
            server_settings={"application_name": "chaos", "timezone": "UTC", "statement_timeout": "0"},
        )

    async def call(self, method: str, path: str, body: Any = None, *, api: int = 0) -> Any:
        """Call an API that works, and give its answer. Raises ServerError where it is no 2xx."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with (
            aiohttp.ClientSession(self.apis[api].url, headers=headers) as session,
            session.request(method, path, json=body) as response,
        ):
            content = await response.read()
            if not response.ok:
                raise ServerError(f"{method} {path} answered {response.status}: {content.decode(errors='replace')}")
            return msgspec.json.decode(content) if content else None

    def _start_target(self) -> None:
        self._target = subprocess.Popen(
            [sys.executable, "-m", "cli.chaos.target", str(self.ledger), str(self._seed)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        port = int(self._target.stdout.readline()) if self._target.stdout is not None else 0
        self.target = f"http://127.0.0.1:{port}"

    def _make_processes(self) -> list[Process]:
        settings = {
            "FLOWFORGE_DATA_DIR": str(self.folder / "data"),
            "FLOWFORGE_SECRET_KEY": b64encode(secrets.token_bytes(32)).decode(),
            "FLOWFORGE_HTTP_ALLOW_PRIVATE": self.target.removeprefix("http://"),
            "FLOWFORGE_SUSPEND_AFTER_SECONDS": str(SUSPEND_SECONDS),
            "FLOWFORGE_DATABASE_POOL": "3",
            "FLOWFORGE_ACCESS_TOKEN_SECONDS": "3600",
            "FLOWFORGE_DRAIN_SECONDS": "10",
            "PYTHONPATH": str(ROOT),
        }
        return [
            Process(
                role,
                number + 1,
                {**settings, **({"FLOWFORGE_PORT": str(find_free_port())} if role == "api" else {})},
                postgres=self.servers.postgres.url,
                redis=self.servers.valkey.url,
                logs=self.logs,
            )
            for role, count in (("api", APIS), ("relay", RELAYS), ("worker", WORKERS))
            for number in range(count)
        ]

    async def _wait_until_ready(self) -> None:
        connection = await self.connect()
        deadline = time.monotonic() + READY_SECONDS
        try:
            while not (
                await connection.fetchval("SELECT count(*) FROM worker WHERE alive") == WORKERS
                and await self.are_apis_ready()
            ):
                if self.keeper.complaints or time.monotonic() > deadline:
                    lines = "; ".join(f"{process.name}: {last_line(process.log)}" for process in self.processes)
                    raise ServerError(f"the product to break was not ready: {lines} See {self.logs}.")
                await asyncio.sleep(0.1)
        finally:
            await connection.close()

    async def are_apis_ready(self) -> bool:
        """Whether both APIs say that they can serve requests."""
        return all(await asyncio.gather(*(_is_ready(process.url) for process in self.apis)))

    async def does_readiness_name(self, dependency: str) -> bool:
        """Whether an API says that it cannot serve requests, for this dependency's sake."""
        answers = await asyncio.gather(*(_read_checks(process.url) for process in self.apis))
        return any(checks.get(dependency, "ok") != "ok" for checks in answers)

    async def _set_up(self) -> None:
        account = {"email": "chaos@example.com", "password": secrets.token_hex(12), "name": "Chaos"}
        tokens = await self.call("POST", "/v1/setup", {**account, "workspace": "Chaos"})
        self.token = tokens["access_token"]


async def _read_checks(url: str) -> dict[str, str]:
    """What readiness says of each dependency; nothing where it says nothing."""
    with contextlib.suppress(OSError, aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(f"{url}/health/ready") as response,
        ):
            checks = msgspec.json.decode(await response.read(), type=_Readiness).checks
            return {name: check.status for name, check in checks.items()}
    return {}


async def _is_ready(url: str) -> bool:
    with contextlib.suppress(OSError, aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session,
            session.get(f"{url}/health/ready") as response,
        ):
            return response.ok
    return False
