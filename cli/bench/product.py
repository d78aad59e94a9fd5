"""A product of its own for a bench: `up` on a throwaway data folder, with an account, as others would use it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from cli.bench.processes import cpu_seconds, descendants
from cli.run_file import RunFile
from cli.servers.ports import find_free_port
from cli.servers.process import ServerError, last_line
from cli.steps import ROOT, environment

READY_SECONDS = 60.0
STOP_SECONDS = 40.0
POLL_SECONDS = 0.005


class Hook(Struct, frozen=True):
    """A published workflow that its webhook starts."""

    workflow_id: str
    url: str


class BenchProduct:
    """The product as processes of their own, in a folder that is removed at the end."""

    def __init__(self, settings: dict[str, str]) -> None:
        """`settings`: environment variables; all other settings have their defaults."""
        self._folder = Path(tempfile.mkdtemp(prefix="flowforge-bench-"))
        # Under root, PostgreSQL runs as another account, which must get through.
        self._folder.chmod(0o711)
        self._settings = settings
        self.log = self._folder / "up.log"
        self._run_file = RunFile(self._folder / "data" / "run.json")
        self._process: subprocess.Popen[bytes] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._port = find_free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.first_start_seconds = 0.0
        self.token = ""

    async def __aenter__(self) -> Self:
        try:
            self.first_start_seconds = self.start()
            self._session = aiohttp.ClientSession(self.url)
            account = {"email": "bench@example.com", "password": os.urandom(12).hex(), "name": "Bench"}
            tokens = await self.call("POST", "/v1/setup", {**account, "workspace": "Bench"})
            self.token = tokens["access_token"]
            self._session.headers["Authorization"] = f"Bearer {self.token}"
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> float:
        """Start `up`; the seconds until it says that it is ready. Raises ServerError."""
        began = time.monotonic()
        arguments = ["up", "--port", str(self._port), "--data-dir", str(self._folder / "data")]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *arguments],
                cwd=ROOT,
                env={**environment(), **self._settings},
                stdout=log,
                stderr=log,
                # Ctrl-C is for the bench alone, which then ends the product in order.
                process_group=0,
            )
        while b"FlowForge is ready at" not in self.log.read_bytes():
            seconds = time.monotonic() - began
            if self._process.poll() is not None or seconds > READY_SECONDS:
                raise ServerError(f"the product to measure was not ready after {seconds:.0f} s: {last_line(self.log)}")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began

    def stop(self) -> None:
        """End `up` and all that it started."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)

    @property
    def database_url(self) -> str:
        """Where its PostgreSQL is."""
        return str(self._run_file.read()["postgres"]["url"])

    async def redis_version(self) -> str:
        """The version of its Redis, or of what stands for it."""
        async with Redis.from_url(self._run_file.read()["redis"]["url"]) as redis:
            server = await redis.info("server")
        return str(server.get("valkey_version") or server["redis_version"])

    async def count_redis_commands(self) -> int:
        """How many commands its Redis has carried out so far; a few of them are this question's own."""
        async with Redis.from_url(self._run_file.read()["redis"]["url"]) as redis:
            return int((await redis.info("stats"))["total_commands_processed"])

    def processes(self) -> dict[str, list[int]]:
        """The process ids by role; PostgreSQL's and the supervisor's with all their children."""
        run = self._run_file.read()
        heads = {
            "api": [run["api"]["pid"]],
            "relay": [run["relay"]["pid"]],
            "worker": [worker["pid"] for worker in run["workers"]],
            "postgres": [run["postgres"]["pid"]],
            "valkey": [run["redis"]["pid"]],
        }
        named = [pid for pids in heads.values() for pid in pids]
        found = {role: [one for pid in pids for one in descendants(pid)] for role, pids in heads.items()}
        if self._process:
            found["supervisor"] = descendants(self._process.pid, stop_at=named)
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """The CPU time so far, by role."""
        return {role: cpu_seconds(pids) for role, pids in self.processes().items()}

    @contextlib.contextmanager
    def held_workers(self) -> Any:
        """Let the workers stand still for the time of the block: much shorter than their lease."""
        pids = self.processes()["worker"]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API and give its answer. Raises ServerError where it is no 2xx."""
        if self._session is None:
            raise TypeError("the product is not open")
        async with self._session.request(method, path, json=body) as response:
            content = await response.read()
            if not response.ok:
                raise ServerError(f"{method} {path} answered {response.status}: {content.decode(errors='replace')}")
            return msgspec.json.decode(content) if content else None

    def stream(self) -> Any:
        """The workspace's live stream, to be entered with `async with`."""
        if self._session is None:
            raise TypeError("the product is not open")
        return self._session.get("/v1/stream", timeout=aiohttp.ClientTimeout(total=None))

    async def publish(self, name: str, steps: list[dict[str, Any]]) -> Hook:
        """Make a workflow of these steps, publish it, and give it a webhook."""
        created = await self.call("POST", "/v1/workflows", {"name": name, "definition": {"schema": 1, "steps": steps}})
        path = f"/v1/workflows/{created['id']}"
        await self.call("POST", f"{path}/publish")
        trigger = await self.call("POST", f"{path}/triggers", {"type": "webhook", "config": {}})
        return Hook(created["id"], trigger["url"])
