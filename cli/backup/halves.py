"""Half-made backups: files beside their place, each held by whoever writes it, and removed once nobody does."""

import contextlib
import fcntl
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cli.report import progress

# What stands there between a backup's name and the end, as `tempfile` chooses it: other files are somebody's own.
_CHOSEN = r"\.[a-z0-9_]{8}\.part"
# How an archive of pg_dump begins.
_ARCHIVE = b"PGDMP"
# The mode in which `tempfile` makes them.
_PRIVATE = 0o600
# Of a backup into another file, one is taken for abandoned once nothing was written to it for so long: a lock that
# another machine holds need not be seen here.
_ABANDONED_SECONDS = 24 * 3600.0


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
    """Remove the half-made backups beside `path` whose writers were killed: those into it, and old ones of any name."""
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
    own, any_name = re.compile(re.escape(path.name) + _CHOSEN), re.compile(f".+{_CHOSEN}", re.DOTALL)
    # A folder in which one may write need not be one that one may read.
    with contextlib.suppress(OSError):
        for each in path.parent.iterdir():
            if own.fullmatch(each.name) or (any_name.fullmatch(each.name) and _is_old_archive(each)):
                yield each


def _is_old_archive(path: Path) -> bool:
    """Whether an archive of pg_dump, which only this user may read, was begun there and not written to for long."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        is_private = stat.S_ISREG(found.st_mode) and found.st_mode & 0o777 == _PRIVATE and found.st_uid == os.geteuid()
        if is_private and time.time() - found.st_mtime > _ABANDONED_SECONDS:
            with path.open("rb") as file:
                return file.read(len(_ARCHIVE)) == _ARCHIVE
    return False


def _remove(half: Path) -> None:
    """Remove it unless it is held; raises OSError."""
    descriptor = os.open(half, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        half.unlink()
    finally:
        os.close(descriptor)
