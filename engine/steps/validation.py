"""Everything that is wrong with a definition, told at once: its shape, its steps' configurations, its graph."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec

from engine.core.definition import MAX_NESTING, MAX_STEPS, Definition
from engine.core.problems import Problem, fit
from engine.core.validation import find_graph_problems
from engine.steps.base import ActionStep
from engine.steps.configuration import MAX_PROBLEMS, is_large, problems_in, schema_problems
from engine.steps.registry import config_schema, get_step_type, step_types
from engine.steps.templates import is_expression

# As `MOST_VALUES`: two thousand steps have so many fields, and entries of `after`.
MOST_FIELDS = 10_000
# What may stand under these is not for the schema to say.
_FREE = frozenset({"with", "output", "ui"})
_PLACE = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_PLACE_PART = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
# No list of a definition is longer.
_INDEX_DIGITS = 7
FIELDS = ", ".join(Definition.__struct_encode_fields__)


def validate_definition(document: object) -> list[Problem]:
    """The faults of a definition as decoded from JSON, each with a pointer into it; empty for one that can run."""
    if not isinstance(document, Mapping):
        return [Problem("", "invalid_type", "a definition is an object with `schema` and `steps`")]
    count = sum(1 for _ in _walk(document, "", 0))
    if count > MAX_STEPS:
        message = f"there are {count:,} steps; a definition has at most {MAX_STEPS:,}"
        return [Problem("/steps", "too_many_steps", message)]
    problems = list(islice(_shape_problems(document), MAX_PROBLEMS))
    problems += islice(_step_problems(document), MAX_PROBLEMS - len(problems))
    problems += _settings_problems(document.get("settings"))
    # One by one: what more than enough faults would take to find is not spent.
    problems += islice(
        find_graph_problems(document, {step.name: step.ports for step in step_types()}),
        max(MAX_PROBLEMS - len(problems), 1),
    )
    if not problems:
        problems += _conversion_problems(document)
    return sort_problems(fit(problems[:MAX_PROBLEMS]))


def sort_problems(problems: Iterable[Problem]) -> list[Problem]:
    """The problems in the order of the document, as far as pointers tell it."""
    return sorted(problems, key=_by_place)


def _walk(holder: Mapping[str, Any], pointer: str, depth: int) -> Iterator[tuple[Mapping[str, Any], str, int]]:
    """Every step with its pointer and how many steps are around it; one level too deep is still told of."""
    steps = holder.get("steps")
    for index, step in enumerate(steps if isinstance(steps, list) and depth <= MAX_NESTING + 1 else []):
        if isinstance(step, dict):
            place = f"{pointer}/steps/{index}"
            yield step, place, depth
            yield from _walk(step, place, depth + 1)


def _shape_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The faults of a definition's own fields; of one with a great many values, the first alone."""
    if _validator().is_valid(document):
        return
    if is_large(document, _FREE, MOST_FIELDS):
        yield from _conversion_problems(document)
    else:
        yield from schema_problems(_validator().iter_errors(document), "", FIELDS)


def _step_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    for step, pointer, depth in _walk(document, "", 0):
        if depth == MAX_NESTING + 1:
            yield Problem(pointer, "too_deep", f"steps stand within each other at most {MAX_NESTING} deep")
        if isinstance(step.get("type"), str):
            yield from _one_step_problems(step, step["type"], pointer)


def _one_step_problems(step: Mapping[str, Any], name: str, pointer: str) -> Iterator[Problem]:
    step_type = get_step_type(name)
    if step_type is None:
        known = ", ".join(f"'{known.name}'" for known in step_types())
        yield Problem(f"{pointer}/type", "unknown_step_type", f"there is no step type '{name}'; the types are {known}")
        return
    yield from problems_in(step_type, step.get("with", {}), f"{pointer}/with")
    if step_type.has_steps and not step.get("steps"):
        message = f"a step of type '{name}' needs `steps` of its own, beside `with`"
        yield Problem(f"{pointer}/steps", "required", message)
    if not step_type.has_steps and step.get("steps"):
        yield Problem(f"{pointer}/steps", "not_applicable", f"a step of type '{name}' has no `steps` of its own")
    if not isinstance(step_type, ActionStep):
        for field in ("retry", "timeout"):
            if step.get(field) is not None:
                where = (
                    "; its timeout stands in `with`" if field == "timeout" and "timeout" in _config_fields(name) else ""
                )
                message = f"a step of type '{name}' makes no attempts, so it has no `{field}`{where}"
                yield Problem(f"{pointer}/{field}", "not_applicable", message)


def _config_fields(name: str) -> Mapping[str, Any]:
    """The fields of a step type's `with`, each with its schema."""
    fields: Mapping[str, Any] = config_schema(name).get("properties", {})
    return fields


def _settings_problems(settings: Any) -> Iterator[Problem]:
    """Texts that can give no number: the schema takes any, as one may be an expression."""
    if not isinstance(settings, Mapping):
        return
    concurrency = settings.get("concurrency")
    places = [("/settings/timeout", settings.get("timeout"), "a number of seconds")]
    if isinstance(concurrency, Mapping):
        places.append(("/settings/concurrency/limit", concurrency.get("limit"), "a whole number"))
    for pointer, value, wanted in places:
        if isinstance(value, str) and not is_expression(value):
            message = f"it is a text; it must be {wanted}, or one expression alone, like {{{{ input.n }}}}"
            yield Problem(pointer, "invalid_type", message)


def _conversion_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What the schema let pass for a template in a place that takes none."""
    try:
        msgspec.convert(document, Definition)
    except msgspec.ValidationError as error:
        text = str(error)
        place = _PLACE.search(text)
        parts = _PLACE_PART.findall(place["path"]) if place else []
        pointer = "".join(f"/{name or index}" for name, index in parts)
        reason = text[: place.start()] if place else text
        message = f"no expression may stand here, only in `with`, `output` and `settings`; {reason}"
        yield Problem(pointer, "invalid_value", message)


def _by_place(problem: Problem) -> list[tuple[int, int, str]]:
    """Document order as far as pointers tell it: numbers by their value."""
    return [(0, int(part), "") if _is_index(part) else (1, 0, part) for part in problem.pointer.split("/")]


def _is_index(part: str) -> bool:
    """Whether it may be a place in a list: a name may be of digits of any script, and of more than make a number."""
    return part.isascii() and part.isdigit() and len(part) <= _INDEX_DIGITS


@cache
def _validator() -> jsonschema_rs.Validator:
    (reference,), definitions = msgspec.json.schema_components([Definition], ref_template="#/$defs/{name}")
    name = reference["$ref"].removeprefix("#/$defs/")
    return jsonschema_rs.validator_for({**definitions[name], "$defs": definitions})
