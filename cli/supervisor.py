"""Keeps a product's processes alive: starts again what dies, and stops everything in order."""

import contextlib
import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Protocol

import structlog

from cli.children import Child

FIRST_DELAY_SECONDS = 0.1
# What dies again and again is away for less than a second each time.
LONGEST_DELAY_SECONDS = 0.95
# What ran this long was healthy: its next death starts with the shortest delay again.
HEALTHY_SECONDS = 5.0
BAD_SETTING = 2
# How often to look whether all is ready, in the first seconds and later.
PROBE_SECONDS, EARLY_SECONDS, LATE_PROBE_SECONDS = 0.02, 10.0, 0.5

# How often to look whether a server runs and serves nobody.
STRANDED_SECONDS = 15.0

logger = structlog.get_logger()


class _StopAsked(BaseException):
    """A signal asked for an end while a server was started, which may take as long as it has to recover."""


class Server(Protocol):
    """An embedded server, which runs already."""

    name: str

    @property
    def pid(self) -> int:
        """Its process id, 0 while it does not run."""

    def restart(self) -> None:
        """Start it again."""

    def poll(self) -> int | None:
        """Its exit code once it ended."""

    def last_words(self) -> str:
        """What it said last, or last of a failure."""

    def is_stranded(self) -> bool:
        """Whether it runs and never serves anybody again."""

    def stop(self) -> None:
        """Stop it."""


class Delays:
    """How long to wait before a process is started again: ever longer, until it has lived for long enough."""

    def __init__(self) -> None:
        self._next = FIRST_DELAY_SECONDS

    def after(self, seconds_up: float) -> float:
        """The delay in seconds after a death, or a start that failed, with so many seconds since the start."""
        if seconds_up > HEALTHY_SECONDS:
            self._next = FIRST_DELAY_SECONDS
        delay, self._next = self._next, min(self._next * 2, LONGEST_DELAY_SECONDS)
        return delay


class _Watch:
    """One supervised process and when it may be started again."""

    def __init__(self, process: Child | Server) -> None:
        self.process = process
        self.pid = process.pid
        self.started_at = time.monotonic()
        self.start_at: float | None = None
        self._delays = Delays()

    def note_death(self, now: float) -> float:
        """Plan the next start and return the delay."""
        delay = self._delays.after(now - self.started_at)
        self.start_at = now + delay
        return delay

    def start(self) -> None:
        """Start the process again."""
        self.start_at, self.started_at = None, time.monotonic()
        if isinstance(self.process, Child):
            self.process.start()
        else:
            self.process.restart()
        self.pid = self.process.pid


class Supervisor:
    """Runs `children` beside `servers`, which already run, until SIGTERM or SIGINT.

    `on_change` is called whenever a process id is new; `probe` is asked until it says True: all is ready.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        children: Sequence[Child],
        *,
        grace_seconds: float,
        on_change: Callable[[], None] = lambda: None,
        probe: Callable[[], bool] = lambda: True,
    ) -> None:
        self._servers, self._children = servers, children
        self._grace_seconds = grace_seconds
        self._on_change, self._probe = on_change, probe
        self._started_at = time.monotonic()
        self._watches = [*map(_Watch, servers), *map(_Watch, children)]
        # When to tell of new process ids; None where all are known.
        self._tell_at: float | None = None
        # When to look at the servers again.
        self._look_at = self._started_at + STRANDED_SECONDS if servers else math.inf
        self._is_ready = False
        self._stops = 0
        self._is_starting_server = False

    def run(self) -> int:
        """Start the children, keep everything alive, and return the exit code after an orderly stop.

        A child that ends with code 2 before all was ready has a setting that cannot be used: so do we then.
        """
        code = 0
        with self._signals() as wake:
            try:
                for watch in self._watches[len(self._servers) :]:
                    watch.start()
                self._tell()
                while not self._stops:
                    if any(child.poll() == BAD_SETTING for child in self._children) and not self._is_ready:
                        code = BAD_SETTING
                        break
                    self._keep_alive()
                    self._is_ready = self._is_ready or self._probe()
                    _sleep(wake, self._until_next())
            except _StopAsked:
                pass
            finally:
                self._stop(wake)
        return code

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """Every signal wakes the loop up through a pipe; those that ask for an end are counted."""

        def count_stop(_number: int, _frame: FrameType | None) -> None:
            self._stops += 1
            if self._is_starting_server:
                self._is_starting_server = False
                raise _StopAsked

        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        handlers = {signal.SIGTERM: count_stop, signal.SIGINT: count_stop, signal.SIGCHLD: lambda _number, _frame: None}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if self._look_at <= now:
            self._look_at = now + STRANDED_SECONDS
            self._end_stranded()
        changed = False
        for watch in self._watches:
            if watch.start_at is None:
                code = watch.process.poll()
                if code is not None:
                    delay = watch.note_death(now)
                    logger.warning(
                        "process died", **_identity(watch), **_outcome(code), **_last_words(watch), restart_in=delay
                    )
            elif watch.start_at <= now:
                changed = self._start(watch) or changed
        if changed or (self._tell_at is not None and self._tell_at <= now):
            self._tell()

    def _end_stranded(self) -> None:
        """Stop servers that serve nobody any more; what has ended is started again."""
        for server in self._servers:
            if server.poll() is None and server.is_stranded():
                logger.error("server is stranded: it is started anew", process=server.name, process_id=server.pid)
                server.stop()

    def _start(self, watch: _Watch) -> bool:
        self._is_starting_server = not isinstance(watch.process, Child)
        try:
            if self._stops:
                return False
            watch.start()
        except Exception as error:
            watch.note_death(time.monotonic())
            logger.error("process cannot be started", process=watch.process.name, error=str(error))  # noqa: TRY400 - one line
            return False
        finally:
            self._is_starting_server = False
        logger.warning("process started again", **_identity(watch))
        return True

    def _tell(self) -> None:
        """Say which processes there are; where that cannot be written down, as on a full disk, again a little later."""
        try:
            self._on_change()
        except OSError as error:
            if self._tell_at is None:
                logger.warning("process ids cannot be noted", error=str(error))
            self._tell_at = time.monotonic() + LONGEST_DELAY_SECONDS
        else:
            self._tell_at = None

    def _until_next(self) -> float:
        """Seconds until something is due: a start, a note of ids, a look at servers, or at whether all is ready."""
        now = time.monotonic()
        starts = (watch.start_at for watch in self._watches)
        seconds = min(at for at in (now + 60.0, self._look_at, self._tell_at, *starts) if at is not None) - now
        if not self._is_ready:
            is_early = time.monotonic() - self._started_at < EARLY_SECONDS
            seconds = min(seconds, PROBE_SECONDS if is_early else LATE_PROBE_SECONDS)
        return max(0.0, seconds)

    def _stop(self, wake: int) -> None:
        """Tell the children to drain, end those that take too long, then stop the servers.

        A second signal cuts the waiting short.
        """
        stops = self._stops
        deadline = time.monotonic() + self._grace_seconds
        for child in self._children:
            child.send(signal.SIGTERM)
        while alive := [child for child in self._children if child.pid and child.poll() is None]:
            if time.monotonic() > deadline or self._stops > stops:
                logger.warning("process killed: it did not end in time", processes=[child.name for child in alive])
                for child in alive:
                    child.send(signal.SIGKILL)
                    child.wait()
                break
            _sleep(wake, max(0.0, deadline - time.monotonic()))
        for server in reversed(self._servers):
            server.stop()


def _sleep(wake: int, seconds: float) -> None:
    select.select([wake], [], [], seconds)
    with contextlib.suppress(BlockingIOError):
        while os.read(wake, 512):
            pass


def _identity(watch: _Watch) -> dict[str, int | str]:
    return {"process": watch.process.name, "process_id": watch.pid}


def _last_words(watch: _Watch) -> dict[str, str]:
    """What a server said; children say it here themselves."""
    return {} if isinstance(watch.process, Child) else {"said": watch.process.last_words()}


def _outcome(code: int) -> dict[str, int | str]:
    return {"signal": signal.Signals(-code).name} if code < 0 else {"exit_code": code}
