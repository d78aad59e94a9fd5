"""The guide says what is true: its examples, its functions, its codes and its limits."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from engine.core.expressions import ErrorCode, compile_expression, fuel
from engine.core.expressions.functions import FUNCTIONS
from engine.core.expressions.parser import MACROS

GUIDE = (Path(__file__).parents[3] / "docs/guides/expressions.md").read_text()
LIMITS = (
    fuel.DEFAULT_FUEL,
    fuel.MAX_SOURCE_LENGTH,
    fuel.MAX_NODES,
    fuel.MAX_DEPTH,
    fuel.MAX_TEMPLATE_DEPTH,
    fuel.MAX_TEXT_LENGTH,
    fuel.MAX_RESULT_SIZE,
    fuel.MAX_PATTERN_LENGTH,
)


def examples() -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for table in GUIDE.split("| expression | result |\n| --- | --- |\n")[1:]:
        for line in table.partition("\n\n")[0].splitlines():
            source, result = re.fullmatch(r"\| `(.*)` \| `(.*)` \|", line).groups()  # type: ignore[union-attr]  # else it fails here
            rows.append((source.replace("\\|", "|"), result))
    return rows


def scope() -> dict[str, Any]:
    found = re.search(r"`trigger` is\n`(.*)`", GUIDE)
    assert found is not None
    return {"trigger": json.loads(found[1])}


@pytest.mark.parametrize(("source", "result"), examples(), ids=[source for source, _ in examples()])
def test_an_example_evaluates_as_shown(source: str, result: str) -> None:
    value = compile_expression(source).evaluate(scope())
    assert json.dumps(value) == json.dumps(json.loads(result))


def test_every_function_and_macro_has_an_example() -> None:
    sources = " ".join(source for source, _ in examples())
    missing = [name for name in [*FUNCTIONS, *MACROS, "has"] if not re.search(rf"\b{name}\(", sources)]
    assert not missing


def test_every_error_code_is_explained() -> None:
    assert [code for code in get_args(ErrorCode) if f"| `{code}` |" not in GUIDE] == []


def test_every_limit_is_named() -> None:
    table = GUIDE.partition("## Limits")[2].partition("## Differences")[0]
    assert [limit for limit in LIMITS if not re.search(rf"\| {limit}( |$)", table, re.MULTILINE)] == []
