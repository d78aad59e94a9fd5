"""Locust as a process of its own: it patches the one that it is in."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec

from cli.steps import ROOT, environment
from loadtests.plan import PLAN, Plan
from loadtests.report import LOCUST_HTML

STOP_SECONDS = 10.0
# What Locust needs for its own start and end, on a slow machine.
OVERHEAD_SECONDS = 90.0


class LocustFailed(Exception):
    """Locust did not come to its end, so that nothing is known of the product."""


class LocustProcess:
    """One run of Locust in a folder, where it finds its plan and leaves what it has found."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._folder = Path(plan.folder)
        self._log = self._folder / "locust.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> int:
        """Start it; its process id."""
        path = self._folder / "plan.json"
        # It holds a token.
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(self._plan))
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                cwd=ROOT,
                env={**environment(), "PYTHONPATH": str(ROOT), PLAN: str(path)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us alone, who then end it in order.
                process_group=0,
            )
        return self._process.pid

    async def wait(self) -> None:
        """Wait for its end; raises LocustFailed."""
        if self._process is None:
            raise TypeError("Locust is not started")
        bound = self._plan.count / self._plan.rate + self._plan.drain_seconds + self._plan.answer_seconds
        try:
            code = await asyncio.wait_for(self._process.wait(), bound + OVERHEAD_SECONDS)
        except TimeoutError:
            raise LocustFailed(
                f"Locust had not ended after {bound + OVERHEAD_SECONDS:.0f} s, see {self._log}"
            ) from None
        if code != 0:
            raise LocustFailed(f"Locust ended with code {code}, see {self._log}: {self._last_line()}")

    async def stop(self) -> None:
        """End it if it still runs, and remove the token that it was given."""
        (self._folder / "plan.json").unlink(missing_ok=True)
        if self._process is None or self._process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
                return

    def _command(self) -> list[str]:
        users = {
            "Arrivals": 1,
            "Reader": self._plan.readers,
            "WorkspaceWatcher": self._plan.workspace_streams,
            "RunWatcher": self._plan.run_streams,
        }
        total = str(sum(users.values()))
        return [
            *(sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--only-summary"),
            *("--host", self._plan.url, "--users", total, "--spawn-rate", total),
            *("--html", str(self._folder / LOCUST_HTML), "--json-file", str(self._folder / "locust")),
            *(name for name, count in users.items() if count),
        ]

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
