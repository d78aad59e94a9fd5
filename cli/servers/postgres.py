"""The embedded PostgreSQL: made on first use, on a stable port of 127.0.0.1, with a password of its own."""

import math
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from cli.servers.postgres_binaries import find_binaries, has_lz4, unprivileged
from cli.servers.process import (
    OwnServer,
    ServerError,
    child_commands,
    command_line,
    keep_port,
    spawn,
    stop,
    stop_orphan,
    wait_until_ready,
    write_private,
)

USER = "flowforge"
DATABASE = "postgres"
# After so long without being ready, and again and again, that is told.
_PATIENCE_SECONDS = 20.0
# Longer than any start or stop is between two of its processes, also on a busy machine.
_STRANDED_SECONDS = 10.0
# One that recovers logs every ten seconds how far it is.
_SILENT_SECONDS = 300.0
_NEVER = -1, 0.0
# A socket's path has to fit into 107 bytes, with its file name.
_LONGEST_SOCKET_FOLDER = 80
# Sized for one machine that also does the work: idle it costs little, and a commit stays durable.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "48MB",
    "huge_pages": "off",
    "jit": "off",
    "fsync": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "unix_socket_permissions": "0700",
    "max_parallel_workers": "2",
    # The outbox is written and emptied all the time: a minute between two looks leaves too much behind.
    "autovacuum_naptime": "20s",
}
_WITH_LZ4 = {"wal_compression": "lz4", "default_toast_compression": "lz4"}
# Reads are few: three I/O processes that stand by would only cost memory.
_SINCE_18 = {"io_method": "sync"}


class Postgres(OwnServer):
    """One PostgreSQL server whose files lie in `folder`. `url` is valid once it was started."""

    name = "postgres"

    def __init__(self, folder: Path, *, sync: bool = True, options: Mapping[str, str] | None = None) -> None:
        """`sync=False` skips the flush after initdb: for throw-away servers. `options` go before our own."""
        super().__init__(folder)
        self._sync = sync
        self._own_options = dict(options or {})
        self._stranded_since = math.inf
        # How long the log was at the last look, and since when.
        self._logged = _NEVER
        self._sockets: Path | None = None

    @property
    def url(self) -> str:
        """The address with user and password, as `database_url` takes it."""
        return f"postgresql://{USER}:{quote(self._password)}@127.0.0.1:{self._port}/{DATABASE}"

    @property
    def inner_url(self) -> str:
        """The same by its socket, for processes beside it: an exchange of messages costs little more than half."""
        place = f"host={quote(str(self._sockets))}&port={self._port}"
        return f"postgresql://{USER}:{quote(self._password)}@/{DATABASE}?{place}"

    def is_stranded(self) -> bool:
        """Whether it has lacked, since an earlier look, what lets it recover and what starts once it has.

        It will refuse everybody for ever then. PostgreSQL 18 was seen to run on like that where its recovery ended at
        once for want of room on the disk. While it starts or stops it looks like that for a moment as well.
        """
        names = " ".join(child_commands(self.pid)) if self.pid else ""
        if "checkpointer" not in names or "startup" in names or "walwriter" in names:
            self._stranded_since = math.inf
        else:
            self._stranded_since = min(self._stranded_since, time.monotonic())
        return time.monotonic() - self._stranded_since >= _STRANDED_SECONDS

    def start(self) -> None:
        """Make the data folder if there is none, start the server, and return when it takes connections."""
        process = self._launch()
        self._logged = _NEVER
        wait_until_ready(
            process,
            self._is_ready,
            name="PostgreSQL",
            log=self.log,
            timeout=_PATIENCE_SECONDS,
            # After a crash it first reads all of its log since the last checkpoint, however long that takes.
            may_take_longer=self._may_take_longer,
        )

    def restart(self) -> None:
        """Start the server again, and leave it to recover."""
        self._launch()

    def _may_take_longer(self) -> bool:
        """Whether it is to be waited for: it is not stranded, and where its processes cannot be seen, it logs."""
        size = self.log.stat().st_size if self.log.exists() else 0
        if size != self._logged[0] or (self.pid and child_commands(self.pid)):
            self._logged = size, time.monotonic()
        return not self.is_stranded() and time.monotonic() - self._logged[1] < _SILENT_SECONDS

    def _launch(self) -> subprocess.Popen[bytes]:
        binaries, major = find_binaries()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        prefix, account = unprivileged(self.data, binaries)
        if account is not None:
            os.chown(self.folder, account, account)
        if not self.data.exists():
            self._initialise(binaries, prefix, account)
        self._check_version(major)
        self._clear_orphan()
        self._password = (self.folder / "password").read_text().strip()
        # Started again, it stays where others look for it, or fails until the port is free.
        self._port = self._port or keep_port(self.folder / "port")
        if self._sockets is None:
            self._sockets = self._socket_folder(account)
        elif not self._sockets.exists():
            # Started again, it stays where others look for it, also where somebody has tidied up meanwhile.
            _make_private(self._sockets, account)
        for left_over in self._sockets.glob(".s.PGSQL.*"):
            left_over.unlink(missing_ok=True)
        arguments: list[str | Path] = [*prefix, binaries / "postgres", "-D", self.data]
        for name, value in self._options(binaries, major).items():
            arguments += ["-c", f"{name}={value}"]
        self._process = spawn(
            arguments, log=self.log, death_signal=signal.SIGINT, account=account, environment=_environment()
        )
        return self._process

    def stop(self) -> None:
        """Stop fast: sessions are ended, what was committed is kept."""
        if self._process:
            stop(self._process, signal.SIGINT, timeout=20)

    def _options(self, binaries: Path, major: int) -> dict[str, str]:
        return {
            **_OPTIONS,
            **(_WITH_LZ4 if has_lz4(binaries) else {}),
            **(_SINCE_18 if major >= 18 else {}),  # noqa: PLR2004 - a version
            "port": str(self._port),
            "unix_socket_directories": str(self._sockets),
            **self._own_options,
        }

    def _initialise(self, binaries: Path, prefix: tuple[str, ...], account: int | None) -> None:
        # Into another name first: an interrupted initdb leaves nothing that looks like a database.
        half_made = self.folder / "data.new"
        shutil.rmtree(half_made, ignore_errors=True)
        password = self.folder / "password"
        write_private(password, secrets.token_urlsafe(24) + "\n")
        if account is not None:
            os.chown(password, account, account)
        arguments = [*prefix, str(binaries / "initdb"), "-D", str(half_made), "-U", USER, "-E", "UTF8"]
        arguments += ["--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password}"]
        if not self._sync:
            arguments.append("--no-sync")
        answer = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            check=False,
            user=account,
            group=account,
            extra_groups=None if account is None else [],
            env=_environment(),
        )
        if answer.returncode != 0:
            reason = (answer.stderr.strip() or answer.stdout.strip() or "no message").splitlines()[-1]
            raise ServerError(f"PostgreSQL's initdb failed in {half_made}: {reason}. Is the disk full or read-only?")
        half_made.replace(self.data)

    def _check_version(self, major: int) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(major):
            raise ServerError(
                f"{self.data} was made by PostgreSQL {made_by}, but the one found is {major}. Set "
                f"FLOWFORGE_POSTGRES_BIN to the bin folder of a PostgreSQL {made_by}, or move the data by pg_dump."
            )

    def _clear_orphan(self) -> None:
        """Stop a server that a killed supervisor left on this data, and forget one that is gone.

        PostgreSQL itself would take any living process with the noted pid for a postmaster.
        """
        note = self.data / "postmaster.pid"
        if not note.exists():
            return
        lines = note.read_text().splitlines()
        if lines and lines[0].strip().isdigit():
            pid = int(lines[0])
            if self._is_ours(pid):
                stop_orphan(pid, signal.SIGINT, self._is_ours, timeout=20)
        note.unlink(missing_ok=True)

    def _is_ours(self, pid: int) -> bool:
        if sys.platform == "linux":
            # A postmaster works in its data folder, and so do its children.
            with suppress(OSError):
                return Path(f"/proc/{pid}/cwd").resolve() == self.data and "postgres" in command_line(pid)
            return False
        return f"-D {self.data}" in command_line(pid)

    def _is_ready(self) -> bool:
        # The eighth line of the file is the status that pg_ctl waits for, too.
        with suppress(OSError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004 - a line number
        return False

    def _socket_folder(self, account: int | None) -> Path:
        folder = self.folder / "socket"
        if len(os.fsencode(folder)) > _LONGEST_SOCKET_FOLDER:
            folder = Path(tempfile.gettempdir()) / f"flowforge-{self._port}-{os.geteuid()}"
        with suppress(FileExistsError):
            _make_private(folder, account)
        if not _is_private(folder, account):
            # Somebody else made it, where everybody may: what is sent to a socket there would be theirs.
            folder = Path(tempfile.mkdtemp(prefix="flowforge-"))
        if account is not None:
            os.chown(folder, account, account, follow_symlinks=False)
        return folder


def _make_private(folder: Path, account: int | None) -> None:
    folder.mkdir(mode=0o700)
    if account is not None:
        os.chown(folder, account, account, follow_symlinks=False)


def _is_private(folder: Path, account: int | None) -> bool:
    """Whether this is a folder, and no link to one, that nobody else may enter."""
    found = folder.lstat()
    owners = {os.geteuid(), os.geteuid() if account is None else account}
    return stat.S_ISDIR(found.st_mode) and found.st_uid in owners and not stat.S_IMODE(found.st_mode) & 0o077


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
