"""Make the Python environment: run by any Python 3.11+ with nothing but the standard library.

Safe to be interrupted and to be run twice at once: a lock of the operating system covers the work, a note says
that it is unfinished, and an unfinished environment is made anew.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNFINISHED = "flowforge-unfinished"
PROGRESS_SECONDS = 3.0


class InstallError(Exception):
    """The environment cannot be made; the message is one line that names the cure."""


def install(kind: str, venv: Path) -> None:
    """Bring `venv` to the locked requirements `kind` (runtime, local, dev); raises InstallError."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{venv}.lock", "w") as lock:  # noqa: PTH123 - a path with a suffix of its own
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another set-up is running; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # The installers hold the lock, too: they may outlive us by a moment when we are killed.
        os.set_inheritable(lock.fileno(), True)
        requirements = ROOT / "requirements" / f"{kind}.txt"
        done = venv / f"flowforge-{kind}.txt"
        if done.exists() and done.read_bytes() == requirements.read_bytes() and _runs(venv):
            return
        started = time.monotonic()
        uv = _find_uv(venv)
        _make(venv, uv)
        log = venv / "flowforge-install.log"
        (venv / UNFINISHED).touch()
        uv = uv or _fetch_uv(venv, log)
        if not (uv and _install_with_uv(uv, venv, requirements, log)):
            _install_with_pip(venv, requirements, log)
        shutil.copyfile(requirements, done)
        (venv / UNFINISHED).unlink()
        _say(f"Python environment ready after {time.monotonic() - started:.0f} s")


def _install_with_uv(uv: str, venv: Path, requirements: Path, log: Path) -> bool:
    _say("installing the locked packages with uv")
    # Compiled now, once: a start that compiles takes three times as long.
    options = ["--compile-bytecode", *_options(requirements)]
    if _succeeds([uv, "pip", "install", "--python", venv / "bin" / "python", *options], log):
        return True
    _say("uv could not do it; trying pip, which may know a way through your network")
    return False


def _install_with_pip(venv: Path, requirements: Path, log: Path) -> None:
    python = venv / "bin" / "python"
    # An environment that uv made has no pip yet.
    _succeeds([python, "-m", "ensurepip"], log)
    _say("installing the locked packages with pip: this takes a minute or two")
    _run([python, "-m", "pip", "install", "--no-input", *_options(requirements)], log)


def _options(requirements: Path) -> list[str | Path]:
    return ["--require-hashes", "-r", requirements]


def _make(venv: Path, uv: str | None) -> None:
    if venv.exists():
        if _runs(venv) and not (venv / UNFINISHED).exists():
            return
        if any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists() and not (venv / UNFINISHED).exists():
            raise InstallError(f"{venv} is no Python environment. Remove it, or name another place in FLOWFORGE_VENV.")
        _say("the last set-up was not finished; starting again")
        shutil.rmtree(venv)
    version = ".".join(str(part) for part in sys.version_info[:3])
    _say(f"first use: making a Python {version} environment in {venv}")
    venv.mkdir(parents=True)
    (venv / UNFINISHED).touch()
    log = venv / "flowforge-install.log"
    if uv:
        _run([uv, "venv", "--allow-existing", "--python", sys.executable, venv], log)
    elif find_spec("ensurepip") is None or find_spec("venv") is None:
        shutil.rmtree(venv)
        raise InstallError(
            f"this Python ({sys.executable}) has no venv. Install it "
            f"(Debian, Ubuntu: apt install python3-venv), put uv on the PATH, or name another in FLOWFORGE_PYTHON."
        )
    else:
        _run([sys.executable, "-m", "venv", venv], log)


def _runs(venv: Path) -> bool:
    python = venv / "bin" / "python"
    return python.exists() and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def _find_uv(venv: Path) -> str | None:
    # A shim of pyenv may stand for a uv that is not there.
    for candidate in (shutil.which("uv"), str(venv / "bin" / "uv")):
        if candidate and Path(candidate).exists():
            answer = subprocess.run([candidate, "--version"], capture_output=True, check=False)
            if answer.returncode == 0:
                return candidate
    return None


def _fetch_uv(venv: Path, log: Path) -> str | None:
    """Put uv into the environment: with it the rest takes seconds, not minutes. None where that is not possible."""
    lock = ROOT / "requirements" / "installer.txt"
    if not lock.exists():
        return None
    _say("fetching uv, which installs the rest")
    arguments = [venv / "bin" / "python", "-m", "pip", "install", "--no-input", "--no-compile", *_options(lock)]
    _succeeds(arguments, log)
    return _find_uv(venv)


def _run(arguments: list[str | Path], log: Path) -> None:
    """Run a step; if it fails, show the end of the log and raise InstallError."""
    if not _succeeds(arguments, log):
        tail = log.read_text(errors="replace").strip().splitlines()[-15:]
        sys.stderr.write("\n".join(tail) + "\n")
        raise InstallError(
            f"the set-up failed (see above, whole in {log}). Is the package index reachable? Then run it again."
        )


def _succeeds(arguments: list[str | Path], log: Path) -> bool:
    """Run a step with its output in `log`, tell now and then how far it is, and return whether it went well."""
    # uv looks at every Python it can find and prints a screenful about broken ones: that is for the log, too.
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}
    environment.pop("PYTHONPATH", None)
    environment.pop("VIRTUAL_ENV", None)
    with log.open("ab") as output:
        before = output.tell()
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=ROOT,
            close_fds=False,
        )
    told = ""
    try:
        while True:
            try:
                process.wait(PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if (news := _progress(log, before)) != told:
                    told = news
                    _say(told)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return process.returncode == 0


def _progress(log: Path, before: int) -> str:
    lines = log.read_bytes()[before:].decode(errors="replace").splitlines()
    collected = sum(line.startswith("Collecting ") for line in lines)
    if any(line.startswith("Installing collected packages") for line in lines):
        return f"  {collected} packages there, unpacking them"
    if collected:
        return f"  {collected} packages found so far"
    if any(line.startswith("Installed ") for line in lines):
        return "  packages are in place, compiling them"
    return "  still at it"


def _say(message: str) -> None:
    sys.stderr.write(f"flowforge: {message}\n")
    sys.stderr.flush()


def main() -> int:
    """Run as a program: KIND VENV."""
    kind, venv = sys.argv[1:3]
    try:
        install(kind, Path(venv).absolute())
    except InstallError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        _say("interrupted; the next start goes on")
        return 130
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}. Name a writable place in FLOWFORGE_VENV.")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
