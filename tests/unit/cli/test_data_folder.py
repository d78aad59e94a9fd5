"""One product a folder, and a run.json that is whole or not there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.data_folder import DataFolder
from cli.run_file import RunFile
from engine.infra.settings import SettingError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path)
    yield folder
    folder.release()


def test_a_folder_given_back_can_be_claimed_again(folder: DataFolder) -> None:
    folder.claim()
    folder.release()
    folder.claim()


def test_a_second_claim_names_the_holder(folder: DataFolder, tmp_path: Path) -> None:
    folder.claim()
    folder.run_file.write({"url": "http://127.0.0.1:8000"})
    with pytest.raises(SettingError, match=rf"in use by another `up` \(pid {os.getpid()}, http://127.0.0.1:8000\)"):
        DataFolder(tmp_path).claim()
    assert folder.run_file.read() == {"url": "http://127.0.0.1:8000"}


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match=r"FLOWFORGE_DATA_DIR=.* cannot be used: Not a directory"):
        DataFolder(tmp_path / "file" / "data").claim()


def test_the_note_of_a_killed_product_is_taken_away(folder: DataFolder, tmp_path: Path) -> None:
    RunFile(tmp_path / "run.json").write({"api": {"pid": 1}})
    folder.claim()
    assert folder.run_file.read() == {}


def test_run_json_is_for_its_owner_only(tmp_path: Path) -> None:
    run_file = RunFile(tmp_path / "run.json")
    run_file.write({"url": "a"})
    run_file.write({"url": "b"})
    assert run_file.read() == {"url": "b"}
    assert stat.S_IMODE(run_file.path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [run_file.path]


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_broken_run_json_is_no_run_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert RunFile(tmp_path / "run.json").read() == {}


def test_child_pids_are_those_of_our_own_programs(tmp_path: Path) -> None:
    run_file = RunFile(tmp_path / "run.json")
    run_file.write({"api": {"pid": 1}, "relay": {"pid": 2}, "workers": [{"pid": 3}, {}], "postgres": {"pid": 4}})
    assert run_file.child_pids() == [1, 2, 3]
