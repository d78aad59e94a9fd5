"""The API's process: uvicorn in this very process, drained on SIGTERM."""

import asyncio
import contextlib
import ipaddress
import signal
import socket
import time
from collections.abc import Generator

import structlog
import uvicorn
import uvloop
from litestar import Litestar

from app.auth.oidc.config import read_config
from app.bounded_protocol import BoundedProtocol
from app.main import create_app
from engine.infra.garbage import relax_garbage_collection
from engine.infra.logging import configure_logging
from engine.infra.secrets import decode_secret_key
from engine.infra.settings import SettingError, Settings, load_secret_key
from engine.infra.telemetry import configure_telemetry, shutdown_telemetry
from engine.steps.plugins import tell_of_plugins
from engine.steps.registry import plugin_reports

_DRAIN_SECONDS = 20
_KEEP_ALIVE_SECONDS = 30
_BACKLOG = 2048
# How often the date of answers is moved on.
_TICK_SECONDS = 1.0

logger = structlog.get_logger(__name__)


def serve(settings: Settings) -> int:
    """Serve the API until SIGTERM or SIGINT; requests under way are finished first. Returns the exit code.

    Raises SettingError, in one line that names the setting, where the address cannot be listened on or a setting
    cannot be used.
    """
    _check_settings(settings)
    listener = _listen(settings)
    relax_garbage_collection()
    configure_logging(settings, "api")
    configure_telemetry(settings, "api")
    tell_of_plugins(plugin_reports())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(create_app(settings), listener, settings))
    finally:
        listener.close()
        shutdown_telemetry()


def _check_settings(settings: Settings) -> None:
    if not settings.database_url:
        raise SettingError(
            "FLOWFORGE_DATABASE_URL is not set. Name a PostgreSQL 16+ database, or use `./flowforge up`."
        )
    if not settings.redis_url:
        raise SettingError("FLOWFORGE_REDIS_URL is not set. Name a Redis 7+ server, or use `./flowforge up`.")
    for proxy in filter(None, (part.strip() for part in settings.trusted_proxies.split(","))):
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise SettingError(
                f"FLOWFORGE_TRUSTED_PROXIES: {error}. Name addresses or networks like 10.0.0.7,10.1.0.0/24."
            ) from None
    decode_secret_key(load_secret_key(settings))
    read_config(settings)


def _listen(settings: Settings) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=socket.AddressFamily(family), backlog=_BACKLOG)
    except socket.gaierror as error:
        raise SettingError(
            f"FLOWFORGE_HOST={settings.host!r} is no address of this machine: {error.strerror}."
        ) from None
    except OSError as error:
        raise SettingError(
            f"FLOWFORGE_PORT={settings.port} cannot be listened on at {settings.host}: {error.strerror}. "
            "Stop what uses it, or choose another port (--port)."
        ) from None
    return listener


class _Server(uvicorn.Server):
    """Uvicorn without two habits.

    Its signal handling repeats the signal after the drain, and so ends with code 143. And it wakes ten times a second
    to see whether it is to stop: here it is told.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish requests under way and end; told again, without waiting for them."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Move the date of answers on, and give up requests that do not come, until told to stop."""
        while not await self.on_tick(0):
            now = time.monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.give_up_late(now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to `_run`."""
        yield


async def _run(app: Litestar, listener: socket.socket, settings: Settings) -> int:
    server = _Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )

    def stop() -> None:
        # Live streams look at `draining` and end by themselves; a second signal waits for nobody.
        server.stop()
        app.state.draining.set()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    logger.info("api starts", url=settings.base_url)
    await server.serve(sockets=[listener])
    logger.info("api stopped")
    return 0 if server.started else 1
