"""The product that the demo uses: one that runs, or one that it starts itself."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from cli.client.errors import UNUSABLE, ClientError
from cli.client.options import find_local_url
from cli.client.wire import Disconnected, Wire, normalise_url
from cli.demo.telling import tell, tell_more
from cli.servers.process import last_line, spawn

ALLOW: Final = "FLOWFORGE_HTTP_ALLOW_PRIVATE"
START_SECONDS: Final = 300.0
STOP_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1
_PREFIX: Final = "flowforge: "


class Place(Struct, frozen=True, kw_only=True):
    """A running product and its data folder; `is_ours`: it was started for the demo and ends with it."""

    url: str
    folder: Path
    is_ours: bool


@contextlib.contextmanager
def find_place(url: str | None, data_dir: str | None, port: str | None, target: str) -> Iterator[Place]:
    """The product at `url`, else the one that runs on the data folder, else one started on it for the demo.

    One that is started may call `target` (host:port) and nothing else that is private but what the environment allows.
    Raises ClientError where it cannot be started.
    """
    folder = Path(data_dir or os.environ.get("FLOWFORGE_DATA_DIR") or ".flowforge")
    named = url or os.environ.get("FLOWFORGE_URL")
    running = normalise_url(named) if named else find_local_url(data_dir)
    if named or (running and _is_ready(running)):
        tell("FlowForge", f"{running}, which runs already")
        yield Place(url=running, folder=folder, is_ours=False)
        return
    with _started(folder, port, target) as address:
        tell("FlowForge", f"{address}, started for the demo")
        yield Place(url=address, folder=folder, is_ours=True)


@contextlib.contextmanager
def _started(folder: Path, port: str | None, target: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ClientError(f"{folder} cannot be used as a data folder. Name another by --data-dir.", UNUSABLE)
    log = folder / "demo.log"
    allowed = ",".join(filter(None, (os.environ.get(ALLOW), target)))
    arguments = [sys.executable, "-m", "cli.main", "up", "--data-dir", str(folder), *(["--port", port] if port else [])]
    tell("FlowForge", f"starting it on the data folder {folder} (its log is {log})")
    before = log.stat().st_size if log.exists() else 0
    process = None
    try:
        process = spawn(arguments, log=log, death_signal=signal.SIGTERM, environment={**os.environ, ALLOW: allowed})
        yield _wait_until_ready(process, folder, _News(log, before), port)
    finally:
        if process is not None and process.poll() is None:
            process.terminate()
            # A second Ctrl-C cuts the waiting short; the product gets its SIGTERM again when we end.
            with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path, news: "_News", port: str | None) -> str:
    """The address once it answers; raises ClientError where it ends before."""
    deadline = time.monotonic() + START_SECONDS
    while not ((address := find_local_url(str(folder))) and _is_ready(address)):
        if process.poll() is not None:
            reason = last_line(news.log).removeprefix(_PREFIX)
            raise ClientError(
                f"FlowForge did not start: {reason}{_hint(port, reason)} Its log is {news.log}.", UNUSABLE
            )
        if time.monotonic() > deadline:
            raise ClientError(f"FlowForge is not ready after {START_SECONDS:.0f} s. See {news.log}.", UNUSABLE)
        news.tell()
        time.sleep(_POLL_SECONDS)
    return address


def _hint(port: str | None, reason: str) -> str:
    """Where the port is taken by another FlowForge, the demo may be meant for that one."""
    there = f"http://127.0.0.1:{port or os.environ.get('FLOWFORGE_PORT') or 8000}"
    if "is taken" in reason and _is_ready(there):
        return f" FlowForge runs there already: to load the demo into it, add --url {there}."
    return ""


class _News:
    """What a starting product says in its log."""

    def __init__(self, log: Path, before: int) -> None:
        """`before` bytes are of earlier starts."""
        self.log = log
        # A log that grew too long is begun anew.
        self._read = before if log.exists() and log.stat().st_size >= before else 0

    def tell(self) -> None:
        """Pass on the whole lines that came since."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(self._read)
            text, _, _rest = file.read().rpartition(b"\n")
            if not text:
                return
            self._read += len(text) + 1
            for line in text.decode(errors="replace").splitlines():
                # What starts with a setting's name is why it cannot start, and is told in the end.
                if line.startswith(_PREFIX) and not line.startswith(f"{_PREFIX}FLOWFORGE_"):
                    tell_more(line.removeprefix(_PREFIX))


def _is_ready(url: str) -> bool:
    try:
        return Wire(url).send("GET", "/health/ready", {}).status == http.client.OK
    except (ClientError, Disconnected):
        return False
