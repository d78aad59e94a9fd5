"""Children forked from the supervisor: they share the imports that it made, copy on write."""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable

from cli.servers.process import die_with_parent

INTERNAL_ERROR = 70
_RESET = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)


class Child:
    """A process that runs `function` and ends with the exit code that it returns."""

    def __init__(self, name: str, function: Callable[[], int], *, prepare: Callable[[], None] = lambda: None) -> None:
        """`prepare` runs in the child, before `function`."""
        self.name = name
        self.pid = 0
        self._function = function
        self._prepare = prepare
        self._code: int | None = None

    def start(self) -> None:
        """Fork. Only for a process with a single thread and no event loop."""
        with contextlib.suppress(OSError, ValueError):
            # A log that has no room is no reason to start nothing.
            sys.stdout.flush()
            sys.stderr.flush()
        parent = os.getpid()
        # Until the child has let go of our handlers, a signal to it waits: they would swallow it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _RESET)
        pid = os.fork()
        if pid == 0:
            self._run(parent, mask)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # Both sides do it, so that neither can be too early.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self.pid, self._code = pid, None

    def poll(self) -> int | None:
        """The exit code once the child ended (minus the signal that killed it), else None."""
        if self._code is None and self.pid:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def send(self, number: signal.Signals) -> None:
        """Signal the child, if it still lives."""
        if self.pid and self.poll() is None:
            os.kill(self.pid, number)

    def _run(self, parent: int, mask: set[int | signal.Signals]) -> None:
        code = INTERNAL_ERROR
        try:
            signal.set_wakeup_fd(-1)
            for number in _RESET:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            # Ctrl-C reaches the whole foreground group: it is for the supervisor, which then tells us.
            os.setpgid(0, 0)
            die_with_parent(parent, signal.SIGTERM)
            self._prepare()
            code = self._function()
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
