"""Everything that is wrong with a definition, told at once: its shape, its steps' configurations, its graph."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

from engine.core.definition import MAX_STEPS, Definition
from engine.core.problems import Problem
from engine.core.validation import find_graph_problems
from engine.steps.base import ActionStep
from engine.steps.configuration import problems_in, schema_problems
from engine.steps.registry import get_step_type, step_types

MAX_PROBLEMS = 200
FIELDS = ", ".join(Definition.__struct_encode_fields__)


def validate_definition(document: object) -> list[Problem]:
    """The faults of a definition as decoded from JSON, each with a pointer into it; empty for one that can run."""
    if not isinstance(document, Mapping):
        return [Problem("", "invalid_type", "a definition is an object with `schema` and `steps`")]
    steps = document.get("steps")
    if isinstance(steps, list) and len(steps) > MAX_STEPS:
        message = f"there are {len(steps):,} steps; a definition has at most {MAX_STEPS:,}"
        return [Problem("/steps", "too_many_steps", message)]
    problems = list(schema_problems(_validator().iter_errors(document), "", FIELDS))
    problems += _step_problems(steps if isinstance(steps, list) else [])
    problems += find_graph_problems(document, {step.name: step.ports for step in step_types()})
    if not problems:
        problems += _conversion_problems(document)
    return sorted(problems[:MAX_PROBLEMS], key=_by_place)


def _step_problems(steps: list[Any]) -> Iterator[Problem]:
    for index, step in enumerate(steps):
        if not isinstance(step, dict) or not isinstance(step.get("type"), str):
            continue
        pointer = f"/steps/{index}"
        step_type = get_step_type(step["type"])
        if step_type is None:
            known = ", ".join(f"'{known.name}'" for known in step_types())
            message = f"there is no step type '{step['type']}'; the types are {known}"
            yield Problem(f"{pointer}/type", "unknown_step_type", message)
            continue
        yield from problems_in(step_type, step.get("with", {}), f"{pointer}/with")
        if not isinstance(step_type, ActionStep):
            for field in ("retry", "timeout"):
                if step.get(field) is not None:
                    message = f"a step of type '{step_type.name}' makes no attempts, so it has no `{field}`"
                    yield Problem(f"{pointer}/{field}", "not_applicable", message)


def _conversion_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What the schema let pass for a template in a place that takes none."""
    try:
        msgspec.convert(document, Definition)
    except msgspec.ValidationError as error:
        yield Problem("", "invalid_value", str(error))


def _by_place(problem: Problem) -> list[tuple[int, int, str]]:
    """Document order as far as pointers tell it: numbers by their value."""
    parts = problem.pointer.split("/")
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


@cache
def _validator() -> jsonschema_rs.Validator:
    (reference,), definitions = msgspec.json.schema_components([Definition], ref_template="#/$defs/{name}")
    name = reference["$ref"].removeprefix("#/$defs/")
    return jsonschema_rs.validator_for({**definitions[name], "$defs": definitions})
