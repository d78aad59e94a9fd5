"""Half-made backups: those whose writer was killed go with the next backup, those that somebody writes stay."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.backup.halves import make_half, remove_abandoned
from tests.product import clean_environment

_BEGIN = """
import sys
from pathlib import Path
from cli.backup.halves import make_half
file, half = make_half(Path(sys.argv[1]))
file.write(b"half")
file.flush()
print(half, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_backup_left_is_removed_and_what_is_being_written_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "of[today]"
    with subprocess.Popen(
        [sys.executable, "-c", _BEGIN, path],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        half = Path(writer.stdout.readline().strip())
        assert half.stat().st_mode & 0o777 == 0o600
        remove_abandoned(path)
        assert half.read_bytes() == b"half"
        writer.kill()
    remove_abandoned(path)
    assert list(tmp_path.iterdir()) == []
    assert str(half) in capsys.readouterr().err


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    target = tmp_path / "target"
    target.write_text("theirs")
    names = ["backup", "backup.part", "backup.mine.part", "backup.ABCDEFGH.part", "other.abcdefgh.part"]
    for name in names:
        (tmp_path / name).write_text("theirs")
    (tmp_path / "backup.abcdefg1.part").symlink_to(target)
    (tmp_path / "backup.abcdefg2.part").mkdir()
    remove_abandoned(path)
    assert {each.name for each in tmp_path.iterdir()} == {
        *names,
        "target",
        "backup.abcdefg1.part",
        "backup.abcdefg2.part",
    }
    remove_abandoned(tmp_path / "missing" / "backup")


def keep(path: Path, content: bytes, *, hours: float = 25, mode: int = 0o600) -> Path:
    """A file that was last written to so long ago."""
    path.write_bytes(content)
    path.chmod(mode)
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
    return path


def test_an_old_one_of_another_name_is_removed_and_what_may_be_anything_else_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = keep(tmp_path / "monday.abcdefgh.part", b"PGDMP and more")
    stay = [
        keep(tmp_path / "young.abcdefgh.part", b"PGDMP", hours=23),
        keep(tmp_path / "theirs.abcdefgh.part", b"theirs"),
        keep(tmp_path / "shared.abcdefgh.part", b"PGDMP", mode=0o640),
        keep(tmp_path / "empty.abcdefgh.part", b""),
        keep(tmp_path / "abcdefgh.part", b"PGDMP"),
        keep(tmp_path / "monday", b"PGDMP"),
    ]
    link = tmp_path / "link.abcdefgh.part"
    link.symlink_to(stay[-1])
    held = keep(tmp_path / "held.abcdefgh.part", b"PGDMP")
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_abandoned(tmp_path / "tuesday")
        assert {*tmp_path.iterdir()} == {*stay, link, held}
    assert str(gone) in capsys.readouterr().err
    remove_abandoned(tmp_path / "tuesday")
    assert {*tmp_path.iterdir()} == {*stay, link}


def test_a_file_that_another_removed_before_it_was_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    flock = fcntl.flock

    def lock_late(descriptor: int, operation: int) -> None:
        made.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        if len(made) == 1:
            Path(made[0]).unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    file, half = make_half(tmp_path / "backup")
    with file:
        assert [str(half)] == made[1:]
        assert half.exists()
