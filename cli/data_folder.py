"""The data folder of `up`: one product at a time, and what a killed one left behind."""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import IO

from cli.run_file import RunFile
from cli.servers.process import command_line
from engine.infra.settings import SettingError

# A product that was killed gets this long to notice that its supervisor is gone, then it is ended.
LEFTOVER_PATIENCE_SECONDS = 2.0
POLL_SECONDS = 0.02


class DataFolder:
    """A folder that this process alone uses, from `claim` until it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.run_file = RunFile(self.path / "run.json")
        self._claim: IO[str] | None = None

    def claim(self) -> None:
        """Take the folder; raises SettingError if another `up` has it, or if it cannot be written."""
        try:
            # Others may pass through to what is theirs (PostgreSQL's account, under root), not look around.
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
            file = (self.path / "up.lock").open("a+")
        except OSError as error:
            raise SettingError(
                f"FLOWFORGE_DATA_DIR={self.path} cannot be used: {error.strerror}. Name a folder that you may write to."
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            url = self.run_file.read().get("url", "which is still starting")
            raise SettingError(
                f"FLOWFORGE_DATA_DIR={self.path} is in use by another `up` (pid {holder}, {url}). "
                "Stop that one, or name another folder by --data-dir."
            ) from None
        try:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        except OSError as error:
            raise SettingError(
                f"FLOWFORGE_DATA_DIR={self.path} cannot be written to: {error.strerror}. Make room, or name another."
            ) from None
        self._claim = file
        self._end_leftovers()

    def release(self) -> None:
        """Give the folder back."""
        if self._claim:
            self._claim.close()
            self._claim = None

    def join(self) -> None:
        """Called in a forked child: mark it as alive for as long as it lives, without keeping the folder claimed."""
        self.release()
        # The descriptor stays open on purpose: the lock is the mark.
        descriptor = os.open(self.path / "children.lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)

    def _end_leftovers(self) -> None:
        """End the API, relay and workers of a supervisor that was killed: they would hold the port and the runs."""
        with (self.path / "children.lock").open("a") as mark:
            for patience, end in ((0.0, signal.SIGTERM), (LEFTOVER_PATIENCE_SECONDS, signal.SIGKILL)):
                if _take(mark, patience):
                    break
                for pid in self.run_file.child_pids():
                    if "cli.main" in command_line(pid):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, end)
            if _take(mark, 5.0):
                self.run_file.remove()
                return
        raise SettingError(
            f"FLOWFORGE_DATA_DIR={self.path}: processes of an earlier `up` still run. "
            "End them (`ps` shows them as `cli.main up`), then start again."
        )


def _take(file: IO[str], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True
