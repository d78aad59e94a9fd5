"""The script `./flowforge`: it makes its environment, once, whatever happens meanwhile.

The product is replaced by one line that prints its arguments, and the lock by an empty one: no network needed.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.product import ROOT, wait_for

# Each of them makes Python environments, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small tree with the script, the installer, and a product that prints what it was called with."""
    clone = tmp_path / "a clone"
    (clone / "cli").mkdir(parents=True)
    (clone / "requirements").mkdir()
    shutil.copy(ROOT / "flowforge", clone)
    shutil.copy(ROOT / "cli" / "install.py", clone / "cli")
    (clone / "cli" / "__init__.py").touch()
    (clone / "cli" / "main.py").write_text("import sys; print(sys.prefix, *sys.argv[1:], sep='|')\n")
    for kind in ("local", "dev"):
        (clone / "requirements" / f"{kind}.txt").write_text(f"# {kind}: nothing\n")
    return clone


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with the system's everyday programs, but no uv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "cmp", "pwd", "env", "cat"):
        if program := shutil.which(name):
            (folder / name).symlink_to(program)
    return folder


def environment(path: str | Path | None = None, **extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWFORGE_", "PYTHON"))}
    return {**kept, "PATH": str(path or os.environ["PATH"]), "FLOWFORGE_PYTHON": sys.executable, **extra}


def flowforge(clone: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "flowforge", *arguments],
        cwd=clone.parent,
        env=environment(settings.pop("PATH", None), **settings),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_the_first_start_sets_up_and_the_second_does_not(clone: Path) -> None:
    first = flowforge(clone, "up", "--port", "8001")
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"{clone / '.venv'}|up|--port|8001\n"
    assert "first use: making a Python" in first.stderr
    second = flowforge(clone, "up")
    assert second.stdout == f"{clone / '.venv'}|up\n"
    assert second.stderr == ""


def test_where_uv_cannot_be_fetched_pip_does_it(clone: Path, bare_path: Path) -> None:
    lock = "no-such-thing==1 --hash=sha256:" + "0" * 64 + "\n--no-index\n"
    (clone / "requirements" / "installer.txt").write_text(lock)
    answer = flowforge(clone, "up", PATH=str(bare_path))
    assert answer.returncode == 0, answer.stderr
    assert "fetching uv" in answer.stderr
    assert "with pip" in answer.stderr


def test_where_uv_fails_pip_does_it(clone: Path, bare_path: Path) -> None:
    uv = bare_path / "uv"
    make = f'case $1 in --version) exit 0 ;; venv) exec {sys.executable} -m venv --without-pip "$5" ;; esac'
    uv.write_text(f"#!/bin/sh\n{make}\necho 'invalid peer certificate' >&2\nexit 1\n")
    uv.chmod(0o755)
    answer = flowforge(clone, "up", PATH=str(bare_path))
    assert answer.returncode == 0, answer.stderr
    assert "uv could not do it; trying pip" in answer.stderr
    assert answer.stdout == f"{clone / '.venv'}|up\n"


def test_an_environment_for_tests_serves_up_too(clone: Path) -> None:
    assert flowforge(clone, "test").returncode == 0
    assert flowforge(clone, "up").stderr == ""


def test_a_changed_lock_is_installed(clone: Path) -> None:
    flowforge(clone, "up")
    (clone / "requirements" / "local.txt").write_text("# local: something else\n")
    assert "installing the locked packages" in flowforge(clone, "up").stderr
    assert flowforge(clone, "up").stderr == ""


def test_two_at_once_make_one_environment(clone: Path) -> None:
    processes = [
        subprocess.Popen(
            [clone / "flowforge", "up"],
            cwd=ROOT,  # which has a `cli` of its own
            env=environment(),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=400) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert [output for output, _ in outputs] == [f"{clone / '.venv'}|up\n".encode()] * 2
    assert sum(b"first use" in errors for _, errors in outputs) == 1


def test_a_set_up_that_was_killed_is_made_again(clone: Path) -> None:
    with subprocess.Popen(
        [clone / "flowforge", "up"], env=environment(), process_group=0, stderr=subprocess.DEVNULL
    ) as process:
        wait_for((clone / ".venv" / "flowforge-unfinished").exists, what="set-up under way")
        os.killpg(process.pid, signal.SIGKILL)
    assert not (clone / ".venv" / "flowforge-local.txt").exists()
    answer = flowforge(clone, "up")
    assert answer.returncode == 0, answer.stderr
    assert "the last set-up was not finished; starting again" in answer.stderr
    assert answer.stdout == f"{clone / '.venv'}|up\n"


def test_a_broken_environment_is_made_again(clone: Path) -> None:
    flowforge(clone, "up")
    for python in (clone / ".venv" / "bin").glob("python*"):
        python.unlink()
    answer = flowforge(clone, "up")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"{clone / '.venv'}|up\n"


def test_another_place_can_be_named(clone: Path, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere" / "venv"
    assert flowforge(clone, "up", FLOWFORGE_VENV=str(place)).stdout == f"{place}|up\n"
    assert not (clone / ".venv").exists()


def test_a_folder_of_somebody_else_is_left_alone(clone: Path, tmp_path: Path) -> None:
    place = tmp_path / "photos"
    place.mkdir()
    (place / "me.png").touch()
    answer = flowforge(clone, "up", FLOWFORGE_VENV=str(place))
    assert answer.returncode == 2
    assert "is no Python environment" in answer.stderr
    assert (place / "me.png").exists()


def test_no_python_names_the_cure(clone: Path, bare_path: Path) -> None:
    answer = flowforge(clone, "up", PATH=str(bare_path), FLOWFORGE_PYTHON="")
    assert answer.returncode == 2
    assert answer.stderr.startswith("flowforge: no Python 3.11 or newer on the PATH.")
    assert answer.stderr.count("\n") == 1


def test_without_uv_and_behind_a_broken_shim_it_still_works(clone: Path, bare_path: Path) -> None:
    shim = bare_path / "python3.11"
    shim.write_text("#!/bin/sh\necho 'version is not installed' >&2\nexit 127\n")
    shim.chmod(0o755)
    (bare_path / "python3").symlink_to(sys.executable)
    answer = flowforge(clone, "up", PATH=str(bare_path), FLOWFORGE_PYTHON="")
    assert answer.returncode == 0, answer.stderr
    assert "with pip" in answer.stderr
    assert "version is not installed" not in answer.stderr
    assert answer.stdout == f"{clone / '.venv'}|up\n"


def test_a_python_without_venv_names_the_cure(clone: Path, bare_path: Path) -> None:
    # Debian's python3 without python3-venv: `venv` can be imported, `ensurepip` cannot.
    python = bare_path / "python3"
    hide = "import sys; sys.modules['ensurepip'] = None; sys.argv = sys.argv[1:]"
    run = "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    asked = f'case $1 in -c) exec {sys.executable} "$@" ;; esac'
    python.write_text(f'#!/bin/sh\n{asked}\nexec {sys.executable} -c "{hide}; {run}" "$@"\n')
    python.chmod(0o755)
    answer = flowforge(clone, "up", PATH=str(bare_path), FLOWFORGE_PYTHON="")
    assert answer.returncode == 2
    assert "apt install python3-venv" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_failed_installation_shows_its_log_and_heals(clone: Path) -> None:
    lock = clone / "requirements" / "local.txt"
    lock.write_text("no-such-thing==1 --hash=sha256:" + "0" * 64 + "\n--no-index\n")
    answer = flowforge(clone, "up")
    assert answer.returncode == 2
    assert "no-such-thing" in answer.stderr
    assert answer.stderr.splitlines()[-1].startswith("flowforge: the set-up failed")
    lock.write_text("# nothing\n")
    assert flowforge(clone, "up").returncode == 0
