"""What both launchers share: spawning, recognising, and stopping a server process."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from cli.report import progress
from cli.servers.ports import find_free_port, is_port_free

# It looks at what the system has at hand.
_PS_SECONDS = 5.0

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
POLL_SECONDS = 0.01
LOG_LIMIT = 8 * 1024 * 1024
_STOPS = (signal.SIGINT, signal.SIGTERM)


class ServerError(Exception):
    """An embedded server cannot be used; the message is one line that names the cure."""


class ServerEnded(ServerError):
    """It ended by itself before it was ready."""


class OwnServer(ABC):
    """A server of ours: one process, whose files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._password = ""

    @property
    def pid(self) -> int:
        """The process id of the server, of PostgreSQL's postmaster; 0 when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def poll(self) -> int | None:
        """The exit code once the server ended, else None."""
        return self._process.poll() if self._process else None

    def last_words(self) -> str:
        """What the server logged last, or last of a failure."""
        return last_line(self.log)

    @abstractmethod
    def start(self) -> None:
        """Start the server and return when it is ready."""

    def restart(self) -> None:
        """Start it again, and return soon: others are watched over meanwhile, and wait for it by themselves."""
        self.start()


def die_with_parent(parent: int, death_signal: signal.Signals) -> None:
    """Ask the kernel to send this process `death_signal` when `parent` dies, however it dies (Linux only)."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:
        # The parent died before the kernel knew of our wish.
        os.kill(os.getpid(), death_signal)


def spawn(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    death_signal: signal.Signals,
    account: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own (Ctrl-C is for the supervisor alone), output appended to `log`."""
    parent = os.getpid()
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".old.log"))
    process = None
    try:
        with log.open("ab") as output, _held(_STOPS) as mask:
            process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                user=account,
                group=account,
                extra_groups=None if account is None else [],
                env=None if environment is None else dict(environment),
                preexec_fn=lambda: _begin(parent, death_signal, mask),  # noqa: PLW1509 - two system calls, no locks taken
            )
    except BaseException:
        if process is not None:
            # Stopped in that moment: nobody will know of it.
            process.kill()
            process.wait()
        raise
    return process


@contextlib.contextmanager
def _held(signals: Sequence[signal.Signals]) -> Iterator[set[int | signal.Signals]]:
    """Let signals wait, and give the mask as it was: what a handler raises during a fork is lost."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin(parent: int, death_signal: signal.Signals, mask: set[int | signal.Signals]) -> None:
    """What a spawned process does before it becomes another program."""
    for number in _STOPS:
        # The handlers of ours would swallow what comes before the other program is there.
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    die_with_parent(parent, death_signal)


def wait_until_ready(
    process: subprocess.Popen[bytes],
    is_ready: Callable[[], bool],
    *,
    name: str,
    log: Path,
    timeout: float,
    may_take_longer: Callable[[], bool],
) -> None:
    """Return when `is_ready`; raise ServerError with the log's last line if the process ends or the time is up.

    It is up every `timeout` seconds, unless it `may_take_longer`: whoever is killed as it recovers begins anew.
    """
    began = time.monotonic()
    deadline = began + timeout
    while not is_ready():
        if process.poll() is not None:
            raise ServerEnded(f"{name} ended at once (code {process.returncode}): {last_line(log)} See {log}.")
        if time.monotonic() > deadline:
            seconds = time.monotonic() - began
            if not may_take_longer():
                stop(process, signal.SIGKILL, timeout=5)
                raise ServerError(f"{name} was not ready after {seconds:.0f} s: {last_line(log)} See {log}.")
            progress(f"{name} is not ready after {seconds:.0f} s, it may be recovering: still waiting. See {log}.")
            deadline += timeout
        time.sleep(POLL_SECONDS)


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, *, timeout: float) -> None:
    """Stop a child with `stop_signal`, and with SIGKILL if it still lives after `timeout` seconds."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stop_orphan(pid: int, stop_signal: signal.Signals, is_ours: Callable[[int], bool], *, timeout: float) -> None:
    """Stop a server that a killed supervisor left behind; SIGKILL if it still lives after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, stop_signal)
        while is_ours(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline = time.monotonic() + timeout
            time.sleep(POLL_SECONDS)


def command_line(pid: int) -> str:
    """The command line of a living process; empty where there is none (or only a zombie)."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    return _ask_ps("-o", "command=", "-p", str(pid)).strip()


def child_commands(pid: int) -> list[str]:
    """The command lines of the processes whose parent this one is; none where they cannot be seen."""
    if sys.platform == "linux":
        return [command_line(child) for child in children_of(pid)]
    # All in one: each call is a process.
    try:
        told = _ask_ps("-A", "-o", "ppid=", "-o", "command=")
    except (OSError, subprocess.TimeoutExpired):
        # Whoever watches over all others asks, too: it goes on without.
        return []
    rows = (line.split(None, 1) for line in told.splitlines() if line.strip())
    return [command for parent, *rest in rows if parent == str(pid) for command in rest]


def _ask_ps(*arguments: str) -> str:
    # In lines of any length: a server of ours is known by what may stand far behind.
    command = ["ps", "-ww", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PS_SECONDS).stdout


def children_of(pid: int) -> list[int]:
    """The processes whose parent this one is (Linux only: none elsewhere)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            # After the name, which may hold anything: state, parent.
            if int((process / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(process.name))
    return found


def keep_port(path: Path) -> int:
    """A free port of 127.0.0.1, the one noted in `path` as long as nobody else took it."""
    with contextlib.suppress(OSError, ValueError):
        port = int(path.read_text())
        if is_port_free(port):
            return port
    port = find_free_port()
    write_private(path, f"{port}\n")
    return port


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def last_line(log: Path) -> str:
    """The last line of a log that tells of a failure, or else the last one, for error messages."""
    lines = log.read_text(errors="replace").strip().splitlines()[-20:] if log.exists() else []
    failures = [line for line in lines if "FATAL" in line or "PANIC" in line]
    return (failures or lines or ["it printed nothing."])[-1]
