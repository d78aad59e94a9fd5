"""The rules of `./flowforge check` for what could be abused: each has a test of its own, and all are run."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.security.steps import SECURITY
from tests.architecture.sources import ROOT

RULES = ROOT / "cli" / "security" / "rules"
TESTS = ROOT / "cli" / "security" / "rule_tests"


def test_every_rule_has_a_test_with_what_is_right_and_what_is_not() -> None:
    rules = {path.name for path in RULES.glob("*.yml")}
    assert len(rules) >= 15
    assert {path.name for path in TESTS.glob("*.yml")} == rules
    for name in rules:
        text = (TESTS / name).read_text()
        assert f"id: {name.removesuffix('.yml')}\n" in text
        assert "\nvalid:\n  - " in text, name
        assert "\ninvalid:\n  - " in text, name


def test_a_rule_stops_the_check() -> None:
    for path in RULES.glob("*.yml"):
        assert "\nseverity: error\n" in path.read_text(), path.name


def test_the_check_looks_at_the_whole_product() -> None:
    looked_at = {step.name: set(step.arguments) for step in SECURITY}
    assert looked_at["security rules"] >= {"app", "engine", "cli", "worker.py", "relay.py", "ui/src"}
    assert looked_at["bandit"] >= {"app", "engine", "cli", "worker.py", "relay.py"}


@pytest.mark.parametrize("name", ["security rules", "tests of rules"])
def test_the_sources_keep_to_the_rules(name: str) -> None:
    (step,) = (each for each in SECURITY if each.name == name)
    program = Path(sys.executable).parent / step.program
    answer = subprocess.run([program, *step.arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_what_breaks_a_rule_is_found(tmp_path: Path) -> None:
    (tmp_path / "fault.py").write_text("import pickle\n")
    program = Path(sys.executable).parent / "ast-grep"
    answer = subprocess.run([program, "scan", tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode != 0
    assert "no-unsafe-deserialising" in answer.stdout


def test_modules_of_the_web_app_are_looked_at_as_its_pages_are(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "ast-grep"
    for name in ("page.tsx", "module.ts"):
        fault = tmp_path / name
        fault.write_text("Object.assign(ours, theirs);\n")
        answer = subprocess.run([program, "scan", fault], cwd=ROOT, capture_output=True, text=True, check=False)
        assert answer.returncode != 0, name
        assert "no-prototype-of-others" in answer.stdout, name
