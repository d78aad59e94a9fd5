"""The page of rules names tests that exist, and every rule has one."""

import ast
import re

from tests.architecture.sources import ROOT, tree

PAGE = ROOT / "docs" / "guides" / "rules.md"
NAME = re.compile(r"`(\w+)::(\w+)`")
# Files whose every test is one of a rule.
FILES = (
    "test_approval_ports",
    "test_cancel_everywhere",
    "test_concurrency",
    "test_foreach",
    "test_large_outputs",
    "test_sub_workflows",
    "test_switch_and_transform",
    "test_time_accounting",
    "test_wait",
)


def find_tests(file: str) -> set[str]:
    """The tests of a file in `tests/e2e`, empty where there is no such file."""
    path = ROOT / "tests" / "e2e" / f"{file}.py"
    if not path.exists():
        return set()
    return {
        node.name for node in tree(path).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_named_test_exists() -> None:
    named = NAME.findall(PAGE.read_text())
    assert len(named) > 100
    assert [f"{file}::{test}" for file, test in named if test not in find_tests(file)] == []


def test_every_rule_has_a_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    rules = [row for row in rows if not row.startswith(("| ---", "| rule |"))]
    assert len(rules) > 80
    assert [row for row in rules if not NAME.search(row.rpartition(" | ")[2])] == []


def test_what_is_tested_of_the_step_types_is_a_rule() -> None:
    named = set(NAME.findall(PAGE.read_text()))
    assert [f"{file}::{test}" for file in FILES for test in sorted(find_tests(file)) if (file, test) not in named] == []
