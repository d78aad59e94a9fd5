"""Half-made backups: files beside their place, each held by whoever writes it, and removed once nobody does."""

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cli.report import progress

# What stands there between a backup's name and the end, as `tempfile` chooses it: other files are somebody's own.
_CHOSEN = r"\.[a-z0-9_]{8}\.part"


def make_half(path: Path) -> tuple[IO[bytes], Path]:
    """A new file beside `path` that only its owner may read, and its name; held until it is closed. Raises OSError.

    Its name is its own: another backup into the same file must not write into this one's, or take it away.
    """
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
        if _hold(descriptor):
            return os.fdopen(descriptor, "wb"), Path(name)
        os.close(descriptor)


def remove_abandoned(path: Path) -> None:
    """Remove the half-made backups into `path` whose writers were killed."""
    for half in list(_find_halves(path)):
        # Somebody holds it, has just put it into its place, or it is not ours to remove.
        with contextlib.suppress(OSError):
            _remove(half)
            progress(f"removed {half}, which a backup that was broken off has left")


def _hold(descriptor: int) -> bool:
    """Whether the new file is this process's; before it was held, another may have removed it."""
    # Some file systems of networks know no locks: nothing is removed there.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return os.fstat(descriptor).st_nlink > 0


def _find_halves(path: Path) -> Iterator[Path]:
    name = re.compile(re.escape(path.name) + _CHOSEN)
    # A folder in which one may write need not be one that one may read.
    with contextlib.suppress(OSError):
        yield from (each for each in path.parent.iterdir() if name.fullmatch(each.name))


def _remove(half: Path) -> None:
    """Remove it unless it is held; raises OSError."""
    descriptor = os.open(half, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        half.unlink()
    finally:
        os.close(descriptor)
