"""A product whose data folder is a small disk of its own, which can be filled.

As a program, it mounts the disk for that product alone and becomes the product; the test looks through its eyes.
"""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.chaos.disk import SmallDisk, leave_shared_mounts
from tests.product import Product

# Enough for a new database and its log; what is left is memory that the test takes.
DISK_MIB = 160
PIECE = bytes(64 * 1024)


class DiskProduct(Product):
    """`up` on a disk that `fill` leaves no room on."""

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, settings=settings)
        self.command = [sys.executable, "-m", "tests.e2e.small_disk", str(folder)]

    @property
    def seen(self) -> Path:
        """The data folder as the product sees it."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{self.folder}")

    @property
    def run(self) -> dict[str, Any]:
        """What run.json says."""
        content: dict[str, Any] = json.loads((self.seen / "run.json").read_text())
        return content

    def fill(self) -> None:
        """Leave no room at all, not even for a file of one byte."""
        while self._has_room():
            with (self.seen / "ballast").open("ab", buffering=0) as ballast:
                for piece in (PIECE, PIECE[:4096]):
                    with contextlib.suppress(OSError):
                        while ballast.write(piece):
                            pass

    def _has_room(self) -> bool:
        probe = self.seen / "probe"
        try:
            probe.write_bytes(b"x")
        except OSError as error:
            return error.errno != errno.ENOSPC
        finally:
            probe.unlink(missing_ok=True)
        return True

    def free(self) -> None:
        """Give the room back."""
        (self.seen / "ballast").unlink()


def find_obstacle() -> str | None:
    """Why this machine has no such disk; None where it has."""
    child = os.fork()
    if child == 0:
        os._exit(leave_shared_mounts() is not None)
    _, status = os.waitpid(child, 0)
    return "needs the right to mount, of root or in a user namespace" if status else None


def main() -> None:
    """Mount the disk over a folder and become `./flowforge` with the arguments that follow."""
    folder, *arguments = sys.argv[1:]
    if (obstacle := leave_shared_mounts()) is not None:
        sys.exit(obstacle)
    SmallDisk(Path(folder), DISK_MIB).mount()
    os.execv(sys.executable, [sys.executable, "-m", "cli.main", *arguments])  # noqa: S606 - our own program


if __name__ == "__main__":
    main()
