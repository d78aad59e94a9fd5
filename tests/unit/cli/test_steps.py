"""The steps before the tests."""

import os
import sys
from pathlib import Path

import pytest

from cli.steps import Step, environment, run_steps


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in (("good", 0), ("bad", 3)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho output of {name}\nexit {code}\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))


@pytest.mark.usefixtures("programs")
def test_every_step_runs_and_failures_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [Step(name="one", program="bad"), Step(name="two", program="good"), Step(name="three", program="bad")]
    assert run_steps(steps) == ["one", "three"]
    output = capsys.readouterr().out
    assert output.count("output of bad") == 2
    assert "output of good" not in output


def test_settings_of_a_product_do_not_reach_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWFORGE_DATABASE_URL", "postgresql://production")
    assert "FLOWFORGE_DATABASE_URL" not in environment()
    assert environment()["PATH"] == os.environ["PATH"]
