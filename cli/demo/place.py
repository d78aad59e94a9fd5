"""The product that the demo uses: one that runs, or one that it starts itself."""

import contextlib
import http.client
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from msgspec import Struct

from cli.client.api import Api
from cli.client.errors import UNUSABLE, ClientError
from cli.client.options import find_local_url
from cli.client.sessions import Session, Sessions
from cli.client.wire import Disconnected, Wire, normalise_url
from cli.report import progress
from cli.servers.process import last_line, spawn

ALLOW: Final = "FLOWFORGE_HTTP_ALLOW_PRIVATE"
EMAIL: Final = "demo@flowforge.example"
START_SECONDS: Final = 300.0
STOP_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


class Place(Struct, frozen=True, kw_only=True):
    """A running product; `is_ours`: it was started for the demo and ends with it."""

    url: str
    is_ours: bool


@contextlib.contextmanager
def find_place(url: str | None, data_dir: str | None, port: str | None, target: str) -> Iterator[Place]:
    """The product at `url`, else the one that runs on the data folder, else one started on it for the demo.

    One that is started may call `target` (host:port) and nothing else that is private but what the environment allows.
    Raises ClientError where it cannot be started.
    """
    named = url or os.environ.get("FLOWFORGE_URL")
    running = normalise_url(named) if named else find_local_url(data_dir)
    if named or (running and _is_ready(running)):
        yield Place(url=running, is_ours=False)
        return
    folder = Path(data_dir or os.environ.get("FLOWFORGE_DATA_DIR") or ".flowforge")
    with _started(folder, port, target) as address:
        yield Place(url=address, is_ours=True)


@contextlib.contextmanager
def _started(folder: Path, port: str | None, target: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    if not os.access(folder, os.W_OK):
        raise ClientError(f"{folder} cannot be used as a data folder. Name another by --data-dir.", UNUSABLE)
    log = folder / "demo.log"
    allowed = ",".join(filter(None, (os.environ.get(ALLOW), target)))
    arguments = [sys.executable, "-m", "cli.main", "up", "--data-dir", str(folder), *(["--port", port] if port else [])]
    progress(f"starting FlowForge; its log is {log}")
    process = spawn(arguments, log=log, death_signal=signal.SIGTERM, environment={**os.environ, ALLOW: allowed})
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ((address := find_local_url(str(folder))) and _is_ready(address)):
            if process.poll() is not None:
                raise ClientError(f"FlowForge did not start: {last_line(log)} (log: {log})", UNUSABLE)
            if time.monotonic() > deadline:
                raise ClientError(f"FlowForge is not ready after {START_SECONDS:.0f} s. See {log}.", UNUSABLE)
            time.sleep(_POLL_SECONDS)
        yield address
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(KeyboardInterrupt):
                process.wait(STOP_SECONDS)


def _is_ready(url: str) -> bool:
    try:
        return Wire(url).send("GET", "/health/ready", {}).status == http.client.OK
    except (ClientError, Disconnected):
        return False


def sign_in(url: str, data_dir: str | None) -> Api:
    """Somebody who may load workflows: who signed in before, or the first user of a product that has none yet."""
    sessions = Sessions()
    api = Api(url, sessions, os.environ.get("FLOWFORGE_API_KEY"))
    if _needs_setup(url):
        _set_up(api, sessions, data_dir)
    me = api.get("/v1/auth/me")
    progress(f"{me['user']['email']} in the workspace {me['workspace']['name']!r} at {url}")
    return api


def _needs_setup(url: str) -> bool:
    try:
        body = Wire(url).send("GET", "/v1/setup", {}).body
    except Disconnected as error:
        raise ClientError(f"{url} broke the connection off: {error}. Try again.", UNUSABLE) from None
    return b'"needed":true' in body.replace(b" ", b"")


def _set_up(api: Api, sessions: Sessions, data_dir: str | None) -> None:
    """Make the first user, with a password that is shown this once."""
    password = secrets.token_urlsafe(15)
    body = {"email": EMAIL, "password": password, "name": "Demo", "workspace": "Demo"}
    if token := _find_setup_token(data_dir):
        body["setup_token"] = token
    session: Session = api.sign_in("/v1/setup", body)
    sessions.keep(api.url, session)
    click.echo(f"Set up for the demo. Sign in as {EMAIL} with the password {password} (shown this once).")


def _find_setup_token(data_dir: str | None) -> str:
    path = Path(data_dir or os.environ.get("FLOWFORGE_DATA_DIR") or ".flowforge") / "setup.token"
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return os.environ.get("FLOWFORGE_SETUP_TOKEN", "")
