"""Builds the web app into `app/web/bundle/`: on first use, and when its sources have changed.

One build at a time; a bundle that is served is exchanged whole, and stays where the build of a newer one fails.
"""

import contextlib
import fcntl
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.web.bundle import FOLDER, STAMP, failure_note
from cli.report import progress
from cli.ui_toolchain import UI, Node, UiError, ensure_node, ensure_packages, run

BUILD_SECONDS: Final = 180.0
# All that the bundle is made from.
_SOURCES: Final = ("src", "public", "index.html", "package-lock.json", "tsconfig.json", "vite.config.ts")


def hash_sources() -> str:
    """A number that changes with anything that the bundle is made from."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = UI / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                content = file.read_bytes()
                digest.update(f"{file.relative_to(UI).as_posix()}:{len(content)}:".encode())
                digest.update(content)
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the bundle that is there was made from the sources as they are."""
    try:
        stamp: dict[str, str] = json.loads((FOLDER / STAMP).read_text())
    except (OSError, ValueError):
        return False
    return stamp.get("sources") == hash_sources()


def ensure_bundle() -> None:
    """Build the bundle where it is missing or stale; raises UiError. A second caller waits for the first."""
    if is_current():
        return
    with _only_builder():
        if is_current():
            return
        started = time.monotonic()
        progress("building the web app: this takes about half a minute the first time")
        node = ensure_node()
        ensure_packages(node)
        _build(node)
        progress(f"web app ready after {time.monotonic() - started:.0f} s")


def try_bundle() -> None:
    """Build the bundle if need be; where that fails, say so and leave a note that `/` shows. Raises nothing."""
    if not (UI / "package.json").exists():
        # An image, or an installed package: they come with a bundle.
        return
    note = failure_note(FOLDER)
    try:
        ensure_bundle()
    except (UiError, OSError) as error:
        progress(f"the web app is not built, all else works. {error}")
        with contextlib.suppress(OSError):
            note.write_text(json.dumps({"why": str(error)}))
    else:
        note.unlink(missing_ok=True)


def _build(node: Node) -> None:
    sources = hash_sources()
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=FOLDER.parent) as temporary:
        built = Path(temporary) / "new"
        vite = UI / "node_modules" / "vite" / "bin" / "vite.js"
        arguments: list[str | Path] = [node.program, vite, "build", "--outDir", built, "--logLevel", "warn"]
        run(arguments, node, seconds=BUILD_SECONDS, what="Building it")
        (built / STAMP).write_text(json.dumps({"sources": sources}))
        if FOLDER.exists():
            FOLDER.rename(Path(temporary) / "old")
        built.rename(FOLDER)


@contextlib.contextmanager
def _only_builder() -> Iterator[None]:
    with FOLDER.with_name("bundle.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
