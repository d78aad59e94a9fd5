"""The steps before the tests."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.commands import test
from cli.security import steps
from cli.security.steps import SECURITY
from cli.steps import LINT, Step, environment, pytest_beside, run_steps
from tests.product import PATIENCE_SECONDS


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in (("good", 0), ("bad", 3)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho output of {name}\nexit {code}\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))


@pytest.mark.usefixtures("programs")
def test_every_step_runs_and_failures_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    given = [Step(name="one", program="bad"), Step(name="two", program="good"), Step(name="three", program="bad")]
    assert run_steps(given) == ["one", "three"]
    output = capsys.readouterr().out
    assert output.count("output of bad") == 2
    assert "output of good" not in output


def test_settings_of_a_product_do_not_reach_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWFORGE_DATABASE_URL", "postgresql://production")
    assert "FLOWFORGE_DATABASE_URL" not in environment()
    assert environment()["PATH"] == os.environ["PATH"]


def test_a_pytest_beside_writes_to_its_file_and_gives_its_code(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert 1 == 2\n")
    arguments = ["-c", os.devnull, "-p", "no:cacheprovider", str(tmp_path)]
    with (tmp_path / "output").open("wb") as output, pytest_beside(arguments, {}, output) as process:
        assert process.wait(PATIENCE_SECONDS) == 1
    assert "1 failed" in (tmp_path / "output").read_text()


def test_a_pytest_beside_ends_with_what_it_is_beside(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import time\n\n\ndef test_it():\n    time.sleep(3600)\n")
    arguments = ["-c", os.devnull, "-p", "no:cacheprovider", str(tmp_path)]
    with (tmp_path / "output").open("wb") as output, pytest_beside(arguments, {}, output) as process:
        pass
    assert process.returncode != 0


@pytest.mark.parametrize("fault", [None, *(step.name for step in (*LINT, *SECURITY))])
def test_lint_types_and_every_security_rule_hold_before_the_tests(
    monkeypatch: pytest.MonkeyPatch, fault: str | None
) -> None:
    def run_some(some: Sequence[Step]) -> list[str]:
        return [step.name for step in some if step.name == fault]

    monkeypatch.setattr(steps, "run_steps", run_some)
    monkeypatch.setattr(test, "_run_side_by_side", lambda *_more: 0)
    command = test.command.callback
    assert command is not None
    assert command(full=False, faults="", need_browser=True, arguments=()) == (0 if fault is None else 1)
