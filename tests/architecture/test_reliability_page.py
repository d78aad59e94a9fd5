"""The page on reliability names tests that exist, a test for each promise, and every fault that chaos can do."""

import ast
import re
from pathlib import Path

from cli.chaos.checks import INVARIANTS
from cli.chaos.nemesis import FAULTS
from tests.architecture.sources import ROOT, tree

PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def find_tests(path: Path) -> set[str]:
    """The tests of a file, empty where there is no such file."""
    if not path.exists():
        return set()
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in tree(path).body if isinstance(node, kinds) and node.name.startswith("test_")}


def rows_of(heading: str) -> list[str]:
    """The rows of the table under a heading, without its head."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [row for row in rows if not row.startswith("| ---")][1:]


def test_every_named_test_exists() -> None:
    named = NAME.findall(PAGE)
    assert len(named) > 20
    assert [f"{file}::{test}" for file, test in named if test not in find_tests(ROOT / file)] == []


def test_every_promise_has_a_test() -> None:
    promises = rows_of("What is promised")
    assert len(promises) > 10
    assert [row for row in promises if not NAME.search(row.rpartition(" | ")[2])] == []


def test_every_fault_is_told_under_its_number() -> None:
    rows = rows_of("Chaos")
    missing = [
        fault.name
        for fault in FAULTS.values()
        if not any(f"`{fault.name}`" in row and fault.number in row.split("`")[0] for row in rows)
    ]
    assert missing == []


def test_every_invariant_is_told() -> None:
    rows = rows_of("Chaos")
    assert [one.number for one in INVARIANTS if not any(row.startswith(f"| {one.number} ") for row in rows)] == []
