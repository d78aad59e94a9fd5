"""The API as a process of its own, as `./flowforge api` runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from cli.servers.ports import find_free_port
from engine.infra.settings import Settings

_PROGRAM = """
import sys
from app.server import serve
from engine.infra.settings import load_settings
sys.exit(serve(load_settings()))
"""
_ROOT = Path(__file__).resolve().parents[3]


class Served:
    """A running API."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def serving(settings: Settings, **more: str) -> Iterator[Served]:
    """The API on a free port, until the end; `more` are further variables of its environment."""
    port = find_free_port()
    environment = {
        **os.environ,
        "FLOWFORGE_DATABASE_URL": settings.database_url,
        "FLOWFORGE_REDIS_URL": settings.redis_url,
        "FLOWFORGE_DATA_DIR": settings.data_dir,
        "FLOWFORGE_SECRET_KEY": settings.secret_key,
        "FLOWFORGE_PORT": str(port),
        "FLOWFORGE_LOG_LEVEL": "warning",
        **more,
    }
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], env=environment, cwd=_ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_alive(url, process)
        yield Served(url, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=30)


def _wait_until_alive(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the API ended with code {process.returncode}")
        try:
            if httpx.get(f"{url}/health/live", timeout=1).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            # There is no signal for "listening" but the answer itself.
            time.sleep(0.05)
    raise AssertionError("the API did not come up")
