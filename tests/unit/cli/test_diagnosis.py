"""What `doctor` makes of what it sees."""

from pathlib import Path

import pytest

from cli.diagnosis import Finding, check_folder, judge_clock, judge_disk, worst


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        pytest.param(0.2, "ok", id="close"),
        pytest.param(-0.9, "ok", id="close behind"),
        pytest.param(-5.0, "warn", id="behind"),
        pytest.param(31.0, "fail", id="far ahead"),
    ],
)
def test_a_clock_that_differs_is_told(seconds: float, outcome: str) -> None:
    assert judge_clock(seconds).outcome == outcome


@pytest.mark.parametrize(
    ("free", "outcome"),
    [
        pytest.param(5 * 1024**3, "ok", id="plenty"),
        pytest.param(500 * 1024**2, "warn", id="little"),
        pytest.param(50 * 1024**2, "fail", id="none to speak of"),
    ],
)
def test_a_full_disk_is_told(free: int, outcome: str) -> None:
    assert judge_disk(free).outcome == outcome


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    findings = list(check_folder(tmp_path / "data"))
    assert [(finding.check, finding.outcome) for finding in findings] == [("data folder", "fail")]
    assert "FLOWFORGE_DATA_DIR" in findings[0].message


def test_a_folder_that_is_not_there_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    assert [finding.check for finding in check_folder(tmp_path / "new" / "data")] == ["data folder", "disk"]
    assert not (tmp_path / "new").exists()


def test_the_worst_finding_counts() -> None:
    findings = [
        Finding(check="a", outcome="ok", message=""),
        Finding(check="b", outcome="warn", message=""),
        Finding(check="c", outcome="fail", message=""),
    ]
    assert [worst(findings[:count]) for count in (0, 1, 2, 3)] == ["ok", "ok", "warn", "fail"]
