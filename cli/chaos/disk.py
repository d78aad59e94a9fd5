"""A small disk that can really be full: a file system in memory, whose size is cut down to what is on it.

It is mounted where nobody else sees it, and is gone with the process that asked for it.
"""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_NEW_MOUNTS, _NEW_USERS = 0x0002_0000, 0x1000_0000
_NO_SUID, _NO_DEVICES, _REMOUNT, _RECURSIVE, _PRIVATE = 0x2, 0x4, 0x20, 0x4000, 0x4_0000
_DETACH = 2
_MIB = 1024 * 1024
# Whoever writes meanwhile makes what was measured too little.
_TRIES, _ROOM_BYTES = 50, 16 * 1024


def leave_shared_mounts() -> str | None:
    """Give this process mounts of its own, for which it has to have a single thread; why it cannot, or None."""
    if _LIBC is None:
        return "needs Linux"
    try:
        _unshare()
        # What is mounted from here on is to be seen nowhere else.
        _mount(None, Path("/"), None, _RECURSIVE | _PRIVATE)
    except OSError as error:
        return f"needs the right to mount, of root or in a user namespace ({error.strerror})"
    return None


class SmallDisk:
    """A disk at `path` from `mount` on, of at most `size_mib`; only after `leave_shared_mounts`."""

    def __init__(self, path: Path, size_mib: int) -> None:
        self.path = path
        self._size_mib = size_mib

    def mount(self) -> None:
        """Lay it over the folder, which is made where there is none."""
        self.path.mkdir(parents=True, exist_ok=True)
        _mount("tmpfs", self.path, f"size={self._size_mib}m,mode=0711", _NO_SUID | _NO_DEVICES)

    def fill(self) -> None:
        """Leave no room; raises OSError where too much is written meanwhile to do so."""
        for attempt in range(_TRIES):
            size = self._used_bytes() + attempt * _ROOM_BYTES
            try:
                _mount("tmpfs", self.path, f"size={size}", _REMOUNT | _NO_SUID | _NO_DEVICES)
            except OSError:
                if attempt == _TRIES - 1:
                    raise
            else:
                return

    def free(self) -> None:
        """Give it its room back."""
        _mount("tmpfs", self.path, f"size={self._size_mib}m", _REMOUNT | _NO_SUID | _NO_DEVICES)

    def unmount(self) -> None:
        """Take it away with all that is on it, whoever still uses it."""
        if _LIBC is not None:
            _LIBC.umount2(os.fsencode(self.path), _DETACH)

    def _used_bytes(self) -> int:
        state = os.statvfs(self.path)
        return (state.f_blocks - state.f_bfree) * state.f_frsize


def _unshare() -> None:
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        with suppress(PermissionError):
            return _call("unshare", _NEW_MOUNTS)
    _call("unshare", _NEW_MOUNTS | _NEW_USERS)
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{user} {user} 1")
    (own / "gid_map").write_text(f"{group} {group} 1")
    return None


def _mount(kind: str | None, path: Path, options: str | None, flags: int) -> None:
    encoded = None if kind is None else kind.encode()
    _call("mount", encoded, os.fsencode(path), encoded, flags, None if options is None else options.encode())


def _call(name: str, *arguments: int | bytes | None) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
