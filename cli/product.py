"""The product that `up` runs: servers, migration, then API, relay and workers under one supervisor."""

import contextlib
import gc
import http.client
import importlib
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from cli.children import Child
from cli.data_folder import DataFolder
from cli.listening import local_url, require_port
from cli.report import progress
from cli.roles import LOADED_LATE, ROLES
from cli.servers.postgres import Postgres
from cli.servers.process import write_private
from cli.servers.valkey import Valkey
from engine.infra.settings import SettingError, Settings

READY_PATIENCE_SECONDS = 30.0
# Beyond the time that steps in flight get, for the rest of an orderly end.
GRACE_SECONDS = 5.0


class _Stopped(BaseException):
    """SIGTERM or SIGINT came before the supervisor took over."""


class Product:
    """Everything on one machine, in one data folder."""

    def __init__(self, settings: Settings) -> None:
        self._started_at = time.monotonic()
        self._folder = DataFolder(Path(settings.data_dir))
        self._settings = msgspec.structs.replace(settings, data_dir=str(self._folder.path))
        # As the processes of the product get them: they reach the servers that are started here by their sockets.
        self._inner = self._settings
        self._postgres: Postgres | None = None
        self._valkey: Valkey | None = None
        self._children: list[Child] = []
        self._is_late = False

    def run(self) -> int:
        """Start everything, run until SIGTERM or SIGINT, and return the exit code."""
        # Before anything that needs tidying up: what lies in the folder of another `up` is not ours to remove.
        self._folder.claim()
        try:
            with _stop_on_signal():
                require_port(self._settings)
                self._start_servers()
                self._prepare()
                return self._supervise()
        except _Stopped:
            return 0
        finally:
            for server in (self._valkey, self._postgres):
                if server:
                    server.stop()
            self._folder.run_file.remove()
            self._folder.release()

    def _start_servers(self) -> None:
        settings = self._settings
        inner = {}
        if not settings.database_url:
            is_new = not (self._folder.path / "postgres" / "data").exists()
            progress("making the database" if is_new else "starting PostgreSQL")
            self._postgres = Postgres(self._folder.path / "postgres")
            self._postgres.start()
            settings = msgspec.structs.replace(settings, database_url=self._postgres.url)
            inner["database_url"] = self._postgres.inner_url
        if not settings.redis_url:
            self._valkey = Valkey(self._folder.path / "redis")
            self._valkey.start()
            settings = msgspec.structs.replace(settings, redis_url=self._valkey.url)
            inner["redis_url"] = self._valkey.inner_url
        if settings.is_reached_by_others and not settings.setup_token:
            settings = msgspec.structs.replace(settings, setup_token=self._keep_setup_token())
        self._settings = settings
        self._inner = msgspec.structs.replace(settings, **inner)

    def _keep_setup_token(self) -> str:
        path = self._folder.path / "setup.token"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24) + "\n")
        return path.read_text().strip()

    def _prepare(self) -> None:
        """Migrate in a child (event loops stay out of the supervisor) while what all processes need is loaded here."""
        migration = Child("migrate", self._migrate, prepare=self._folder.join)
        migration.start()
        for module in (*(module for module, _ in ROLES.values()), *LOADED_LATE):
            importlib.import_module(module)
        if (code := migration.wait()) != 0:
            raise SystemExit(code)

    def _migrate(self) -> int:
        preparation = importlib.import_module("cli.preparation")
        try:
            for revision in preparation.prepare(self._settings):
                progress(f"migrated to {revision}")
        except SettingError as error:
            progress(str(error))
            return 2
        return 0

    def _supervise(self) -> int:
        # Only now: structlog and what it draws in belong to what was just loaded.
        supervision = importlib.import_module("cli.supervisor")
        importlib.import_module("engine.infra.logging").configure_logging(self._settings, "supervisor")
        self._children = [self._child("api"), self._child("relay")]
        self._children += [self._child("worker") for _ in range(self._settings.workers)]
        # What is here now is shared; a collection in a child would touch, and so copy, all of it.
        gc.collect()
        gc.freeze()
        supervisor = supervision.Supervisor(
            [server for server in (self._postgres, self._valkey) if server],
            self._children,
            grace_seconds=self._settings.drain_seconds + GRACE_SECONDS,
            on_change=self._note,
            probe=self._announce_when_ready,
        )
        code: int = supervisor.run()
        return code

    def _child(self, role: str) -> Child:
        module, name = ROLES[role]
        function: Callable[[Settings], int] = getattr(sys.modules[module], name)
        return Child(role, lambda: _run_role(function, self._inner), prepare=self._folder.join)

    def _note(self) -> None:
        api, relay, *workers = self._children
        self._folder.run_file.write(
            {
                "url": local_url(self._settings),
                "api": {"pid": api.pid},
                "relay": {"pid": relay.pid},
                "workers": [{"pid": worker.pid} for worker in workers],
                "postgres": {"pid": self._postgres.pid if self._postgres else None, "url": self._settings.database_url},
                "redis": {"pid": self._valkey.pid if self._valkey else None, "url": self._settings.redis_url},
            }
        )

    def _announce_when_ready(self) -> bool:
        status, body = _get(self._settings, "/health/ready")
        seconds = time.monotonic() - self._started_at
        if status != http.client.OK:
            if seconds > READY_PATIENCE_SECONDS and not self._is_late:
                self._is_late = True
                reason = body.decode(errors="replace")[:500] or "the API does not answer"
                progress(f"not ready after {seconds:.0f} s: {reason}. The log above says more; still trying")
            return False
        url = self._settings.public_url or local_url(self._settings)
        click.echo(f"FlowForge is ready at {url} ({seconds:.1f} s). Ctrl-C stops it.")
        self._show_setup_token()
        return True

    def _show_setup_token(self) -> None:
        path = self._folder.path / "setup.token"
        if not self._settings.setup_token or not self._settings.is_reached_by_others:
            return
        status, body = _get(self._settings, "/v1/setup")
        with contextlib.suppress(msgspec.MsgspecError):
            answer: Any = msgspec.json.decode(body)
            if status == http.client.OK and not answer.get("needed"):
                path.unlink(missing_ok=True)
                return
        click.echo(f"The first set-up asks for this token: {self._settings.setup_token}")


def _run_role(function: Callable[[Settings], int], settings: Settings) -> int:
    try:
        return function(settings)
    except SettingError as error:
        progress(str(error))
        return 2


def _get(settings: Settings, path: str) -> tuple[int, bytes]:
    """Status and body of a GET to our own API; 0 where nobody answers."""
    address = urlsplit(local_url(settings))
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


@contextlib.contextmanager
def _stop_on_signal() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
