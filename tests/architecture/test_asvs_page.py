"""The page on ASVS leaves out no requirement of its levels 1 and 2, and every test that it names exists."""

import ast
import re
from pathlib import Path

from tests.architecture.sources import ROOT, tree

PAGE = (ROOT / "docs" / "asvs.md").read_text()
NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
# By section, the requirements of levels 1 and 2 of version 5.0.0.
REQUIRED = {
    "1.1": "1 2",
    "1.2": "1 2 3 4 5 6 7 8 9",
    "1.3": "1 2 3 4 5 6 7 8 9 10 11",
    "1.4": "1 2 3",
    "1.5": "1 2",
    "2.1": "1 2 3",
    "2.2": "1 2 3",
    "2.3": "1 2 3 4",
    "2.4": "1",
    "3.2": "1 2",
    "3.3": "1 2 3 4",
    "3.4": "1 2 3 4 5 6",
    "3.5": "1 2 3 4 5",
    "3.7": "1 2",
    "4.1": "1 2 3",
    "4.2": "1",
    "4.3": "1 2",
    "4.4": "1 2 3 4",
    "5.1": "1",
    "5.2": "1 2 3",
    "5.3": "1 2",
    "5.4": "1 2 3",
    "6.1": "1 2 3",
    "6.2": "1 2 3 4 5 6 7 8 9 10 11 12",
    "6.3": "1 2 3 4",
    "6.4": "1 2 3 4",
    "6.5": "1 2 3 4 5",
    "6.6": "1 2 3",
    "6.8": "1 2 3 4",
    "7.1": "1 2 3",
    "7.2": "1 2 3 4",
    "7.3": "1 2",
    "7.4": "1 2 3 4 5",
    "7.5": "1 2",
    "7.6": "1 2",
    "8.1": "1 2",
    "8.2": "1 2 3",
    "8.3": "1",
    "8.4": "1",
    "9.1": "1 2 3",
    "9.2": "1 2 3 4",
    "10.1": "1 2",
    "10.2": "1 2",
    "10.3": "1 2 3 4",
    "10.4": "1 2 3 4 5 6 7 8 9 10 11",
    "10.5": "1 2 3 4 5",
    "10.6": "1 2",
    "10.7": "1 2 3",
    "11.1": "1 2",
    "11.2": "1 2 3",
    "11.3": "1 2 3",
    "11.4": "1 2 3 4",
    "11.5": "1",
    "11.6": "1",
    "12.1": "1 2 3",
    "12.2": "1 2",
    "12.3": "1 2 3 4",
    "13.1": "1",
    "13.2": "1 2 3 4 5",
    "13.3": "1 2",
    "13.4": "1 2 3 4 5",
    "14.1": "1 2",
    "14.2": "1 2 3 4",
    "14.3": "1 2 3",
    "15.1": "1 2 3",
    "15.2": "1 2 3",
    "15.3": "1 2 3 4 5 6 7",
    "16.1": "1",
    "16.2": "1 2 3 4 5",
    "16.3": "1 2 3 4",
    "16.4": "1 2 3",
    "16.5": "1 2 3",
    "17.1": "1",
    "17.2": "1 2 3 4",
    "17.3": "1 2",
}


def rows() -> dict[str, str]:
    """What shows each requirement."""
    cells = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| \d", line)]
    assert all(len(row) == 3 for row in cells)
    found = {number: shown for number, _, shown in cells}
    assert len(found) == len(cells)
    return found


def find_tests(path: Path) -> set[str]:
    """The tests of a file, empty where there is no such file."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in tree(path).body if isinstance(node, kinds)} if path.exists() else set()


def test_no_requirement_is_left_out_and_none_is_made_up() -> None:
    required = {f"{section}.{number}" for section, numbers in REQUIRED.items() for number in numbers.split()}
    assert len(required) == 253
    assert rows().keys() == required


def test_every_named_test_exists() -> None:
    named = NAME.findall(PAGE)
    assert len(named) > 150
    assert [f"{file}::{test}" for file, test in named if test not in find_tests(ROOT / file)] == []


def test_every_line_has_a_test_or_says_why_it_has_none() -> None:
    reasons = ("Gap: ", "Not applicable: ", "Page: [")
    assert [number for number, shown in rows().items() if not (NAME.search(shown) or shown.startswith(reasons))] == []


def test_the_page_counts_its_own_lines() -> None:
    shown = rows().values()
    tested = [cell for cell in shown if NAME.search(cell)]
    counts = (
        sum("Gap: " not in cell for cell in tested),
        sum("Gap: " in cell for cell in tested),
        *(sum(cell.startswith(begin) for cell in shown) for begin in ("Page: ", "Gap: ", "Not applicable: ")),
    )
    assert [int(count) for count in re.findall(r"\((\d+)(?: lines)?\)", PAGE.partition("## V1")[0])] == list(counts)
    assert sum(counts) == len(shown)
