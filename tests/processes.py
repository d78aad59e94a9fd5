"""Commands that start a whole product of their own for a while: where they do, and what is left of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def short_folder(prefix: str) -> Iterator[Path]:
    """A folder with a short path, as sockets need it, through which PostgreSQL's account gets."""
    with TemporaryDirectory(prefix=prefix) as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


def processes_of(folder: Path) -> list[str]:
    """The command lines of everything that works in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in environment + line and line:
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found
