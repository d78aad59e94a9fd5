"""The processes of the product that chaos breaks: each with its own ways to PostgreSQL and Redis."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from cli.chaos.proxy import FaultyProxy
from cli.chaos.role import BLOCK_VARIABLE
from cli.servers.process import spawn
from cli.steps import environment

POLL_SECONDS = 0.02
# What died is started again after so long, as a supervisor would.
RESTART_SECONDS = 0.1
# So long after its start a process may not have come to where it hears that it is to stop: SIGTERM just ends it.
YOUNG_SECONDS = 5.0
BLOCK_SECONDS = 6.5


class Process:
    """One API, relay or worker; `pid` changes with every start."""

    def __init__(
        self, role: str, number: int, settings: Mapping[str, str], *, postgres: str, redis: str, logs: Path
    ) -> None:
        self.role = role
        self.name = f"{role}-{number}"
        self.log = logs / f"{self.name}.log"
        self.postgres = FaultyProxy(postgres)
        self.redis = FaultyProxy(redis)
        # Added to its environment at its next start.
        self.extra: dict[str, str] = {}
        # While held it stays down; a death that nobody asked for is a fault of the product.
        self.is_held = False
        self.is_doomed = False
        self._is_killed = False
        self._started_at = 0.0
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._died_at: float | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    @property
    def url(self) -> str:
        """Where an API listens."""
        return f"http://127.0.0.1:{self._settings['FLOWFORGE_PORT']}"

    async def open(self) -> None:
        """Open its ways and start it."""
        await self.postgres.restore()
        await self.redis.restore()
        self.start()

    def start(self) -> None:
        """Start it, with what stands in `extra`."""
        settings = {
            **self._settings,
            BLOCK_VARIABLE: str(BLOCK_SECONDS),
            "FLOWFORGE_DATABASE_URL": self.postgres.url,
            "FLOWFORGE_REDIS_URL": self.redis.url,
        }
        self._process = spawn(
            [sys.executable, "-m", "cli.chaos.role", self.role],
            log=self.log,
            death_signal=signal.SIGTERM,
            environment={**environment(), **settings, **self.extra},
        )
        self._died_at, self.is_doomed, self._is_killed = None, False, False
        self._started_at = time.monotonic()

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it lives."""
        if pid := self.pid:
            os.kill(pid, number)

    def kill(self) -> None:
        """Kill it; it is started again unless it is held."""
        self.is_doomed = self._is_killed = True
        self.send(signal.SIGKILL)

    async def end(self, seconds: float) -> int:
        """SIGTERM it and wait for its end; its exit code, or SIGKILL's once the time is up.

        0 as well where somebody else killed it meanwhile, or where it had only just been started.
        """
        self.is_doomed = True
        if self._process is None:
            return 0
        is_young = time.monotonic() - self._started_at < YOUNG_SECONDS
        self.send(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                self._process.kill()
            await asyncio.sleep(POLL_SECONDS)
        code = self._process.returncode
        is_excused = (self._is_killed and code == -signal.SIGKILL) or (is_young and code == -signal.SIGTERM)
        return 0 if is_excused else code

    def look_after(self) -> str | None:
        """Start it again where it has died; the sentence to report where nobody had asked for its death."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        now, complaint = time.monotonic(), None
        if self._died_at is None:
            self._died_at = now
            if not self.is_doomed:
                complaint = f"{self.name} ended by itself with code {code}"
        if not self.is_held and now - self._died_at >= RESTART_SECONDS:
            self.start()
        return complaint

    async def close(self) -> None:
        """End it and its ways."""
        self.is_held = True
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGCONT)
        await self.end(15)
        await self.postgres.refuse()
        await self.redis.refuse()


class Keeper:
    """Starts again what dies, as a supervisor does, and hears of deaths that nobody asked for."""

    def __init__(self, processes: list[Process]) -> None:
        self._processes = processes
        self.complaints: list[str] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for process in self._processes:
                if complaint := process.look_after():
                    self.complaints.append(complaint)
            await asyncio.sleep(POLL_SECONDS)
