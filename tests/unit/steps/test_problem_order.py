"""The order in which faults are told: that of the document, whatever its names look like."""

import pytest

from engine.core.problems import Problem
from engine.steps.validation import sort_problems, validate_definition


def test_faults_are_told_in_the_order_of_the_document() -> None:
    pointers = ["/steps/10/with", "/steps/9/with", "/steps/10", "/output"]
    found = sort_problems([Problem(pointer, "required", "missing") for pointer in pointers])
    assert [problem.pointer for problem in found] == ["/output", "/steps/9/with", "/steps/10", "/steps/10/with"]


@pytest.mark.parametrize("name", ["²", "٣", "1" * 5000, "-1", ""], ids=["power", "script", "long", "negative", "none"])
def test_a_name_that_is_a_number_of_some_kind_is_a_fault_as_any_other(name: str) -> None:
    problems = validate_definition({"schema": 1, "steps": [{"id": "A", "type": "http"}], name: 1})
    assert ("/" + name, "unknown_field") in [(problem.pointer, problem.code) for problem in problems]
