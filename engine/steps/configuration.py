"""A step's `with`: checked as it is written, and read as it is rendered."""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec
import structlog
from jsonschema_rs import ValidationError, ValidationErrorKind
from msgspec import Struct

from engine.core.places import escape_token
from engine.core.problems import Problem
from engine.steps.base import ActionStep, StepFailure, StepType
from engine.steps.registry import config_schema
from engine.steps.templates import is_expression, is_template

# More faults than that are told to nobody.
MAX_PROBLEMS = 200
# All faults of a value are found before the first is told of, each of them with its whole path, and none is kept back.
MOST_VALUES = 1_000
MOST_SAID = 500
_CHARACTERS_A_VALUE = 64

_log = structlog.get_logger()
_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SAYING_NOTHING = frozenset({"title", "description", "default", "examples"})
_PLACE = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def problems_in(step_type: StepType, config: Any, pointer: str) -> list[Problem]:
    """Everything that is wrong with a `with` as written in a definition; `pointer` is where it stands.

    A template counts as any value that its place takes: only rendering it tells.
    """
    if not isinstance(config, Mapping):
        return [Problem(pointer, "invalid_type", f"`with` is {_name(config)}; it must be an object")]
    fields = ", ".join(config_schema(step_type.name).get("properties", ()))
    problems = _schema_problems_in(step_type, config, pointer, fields)
    # The rules beyond the schema may then rely on the shape of what they look at, but must not go unasked for a
    # fault elsewhere: what is wrong is told all at once.
    told = {problem.pointer for problem in problems}
    try:
        faults = [(f"{place}", f"{code}", f"{message}") for place, code, message in step_type.check(config)]
    except Exception as error:
        # A type of another package that breaks is no reason to refuse an answer.
        _log.exception("step_check_crashed", type=step_type.name)
        faults = [("", "check_crashed", f"the step type '{step_type.name}' broke when it checked this: {error!r}")]
    for place, code, message in faults:
        if pointer + place not in told or not place:
            problems.append(Problem(pointer + place, code, message))
    return problems


def parse_config(step_type: ActionStep, rendered: Any) -> Struct:
    """The rendered `with` as the step type's `Config`; raises StepFailure `invalid_config` naming the place."""
    try:
        return msgspec.convert(rendered, step_type.Config)
    except msgspec.ValidationError as error:
        text = str(error)
        place = _PLACE.search(text)
        where = f"with{place['path']}" if place else "with"
        reason = text[: place.start()] if place else text
        raise StepFailure("invalid_config", f"`{where}` cannot be used: {reason}") from None


def _schema_problems_in(step_type: StepType, config: Mapping[str, Any], pointer: str, fields: str) -> list[Problem]:
    validator = _validator(step_type.name)
    if validator.is_valid(config):
        return []
    if is_large(config, _free_fields(step_type.name), MOST_VALUES):
        return [_first_fault(step_type, config, pointer)]
    return list(islice(schema_problems(validator.iter_errors(config), pointer, fields), MAX_PROBLEMS))


def _first_fault(step_type: StepType, config: Mapping[str, Any], pointer: str) -> Problem:
    """What is wrong with a `with` of a great many values, in one sentence; all of it would take minutes to find."""
    reason = "something is not as it must be"
    try:
        msgspec.convert(config, step_type.Config)
    except msgspec.ValidationError as error:
        reason = str(error)[:MOST_SAID]
    message = (
        f"{reason} (of more than {MOST_VALUES:,} values one fault is told, and none may be an expression for a number)"
    )
    return Problem(pointer, "invalid_value", message)


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(config_schema(name))


@cache
def _free_fields(name: str) -> frozenset[str]:
    """The fields of a `with` that take any value: there is nothing to be found in them."""
    fields: Mapping[str, Any] = config_schema(name).get("properties", {})
    return frozenset(field for field, schema in fields.items() if not schema.keys() - _SAYING_NOTHING)


def is_large(value: Any, free: AbstractSet[str], most: int) -> bool:
    """Whether it holds more than so many values; those under `free` names do not count.

    A value counts for more where the names around it are long: they are repeated in whatever is wrong with it.
    """
    room = most
    stack = [(value, 0)]
    while stack:
        holder, around = stack.pop()
        if isinstance(holder, Mapping):
            members = [(inner, around + len(name)) for name, inner in holder.items() if name not in free]
        else:
            members = [(inner, around) for inner in holder]
        room -= sum(1 + length // _CHARACTERS_A_VALUE for _, length in members)
        if room < 0:
            return True
        stack += [(inner, length) for inner, length in members if isinstance(inner, Mapping | list)]
    return False


def schema_problems(errors: Iterable[ValidationError], pointer: str, fields: str) -> Iterator[Problem]:
    for error in errors:
        if _is_tolerated(error):
            continue
        place = pointer + "".join(f"/{escape_token(str(token))}" for token in error.instance_path)
        yield from _explain(error, place, pointer, fields)


def _is_tolerated(error: ValidationError) -> bool:
    """Whether only rendering a template can tell if there is an error."""
    match error.kind:
        case ValidationErrorKind.AnyOf(branches) | ValidationErrorKind.OneOfNotValid(branches):
            return any(all(_is_tolerated(inner) for inner in branch) for branch in branches)
        case ValidationErrorKind.Type():
            # Text around an expression makes it a text, whatever the expression gives.
            return is_expression(error.instance)
        case _:
            return is_template(error.instance)


def _explain(error: ValidationError, place: str, pointer: str, fields: str) -> Iterator[Problem]:
    match error.kind:
        case ValidationErrorKind.Required(name):
            yield Problem(place, "required", f"`{name}` is missing")
        case ValidationErrorKind.AdditionalProperties(names):
            known = "" if error.instance_path else f"; the fields are {fields}"
            for name in names:
                yield Problem(f"{place}/{escape_token(name)}", "unknown_field", f"there is no field `{name}`{known}")
        case ValidationErrorKind.AnyOf(branches) | ValidationErrorKind.OneOfNotValid(branches):
            # The branch that was meant is the one whose type fits.
            meant = [branch for branch in branches if not any(_is_wrong_type(inner, error) for inner in branch)]
            others = [kind for branch in branches for inner in branch for kind in _expected_kinds(inner)]
            if not meant:
                yield Problem(place, "invalid_type", _say_kinds(error.instance, others))
            for problem in schema_problems(meant[0] if meant else (), pointer, fields):
                also = _say_others(problem, error, others) if problem.pointer == place else ""
                yield Problem(problem.pointer, problem.code, problem.message + also)
        case ValidationErrorKind.Type():
            yield Problem(place, "invalid_type", _say_kinds(error.instance, _expected_kinds(error)))
        case kind:
            yield Problem(place, *_explain_value(kind, error))


def _explain_value(kind: ValidationErrorKind, error: ValidationError) -> tuple[str, str]:
    value = msgspec.json.encode(error.instance).decode()
    match kind:
        case ValidationErrorKind.Enum(options) if f"{error.instance}" in map(str, options):
            return "invalid_choice", f"it is {_name(error.instance)}; it must be {error.instance} without quotes"
        case ValidationErrorKind.Enum(options):
            return "invalid_choice", f"{value} is none of {', '.join(str(option) for option in options)}"
        case ValidationErrorKind.Minimum(limit):
            return "out_of_range", f"{value} is less than {limit}"
        case ValidationErrorKind.Maximum(limit):
            return "out_of_range", f"{value} is more than {limit}"
        case ValidationErrorKind.ExclusiveMinimum(limit):
            return "out_of_range", f"{value} must be more than {limit}"
        case ValidationErrorKind.ExclusiveMaximum(limit):
            return "out_of_range", f"{value} must be less than {limit}"
        case ValidationErrorKind.MinLength(limit):
            return "too_short", "it is empty" if limit == 1 else f"it is shorter than {limit} characters"
        case ValidationErrorKind.MaxLength(limit):
            return "too_long", f"it is longer than {limit} characters"
        case ValidationErrorKind.Pattern(pattern):
            return "invalid_format", f"{value} does not look as it must ({pattern})"
        case _:
            return "invalid_value", error.message


def _is_wrong_type(inner: ValidationError, outer: ValidationError) -> bool:
    return bool(_expected_kinds(inner)) and inner.instance_path == outer.instance_path


def _expected_kinds(error: ValidationError) -> list[str]:
    """The types that would have done, where it is the type that is wrong; a choice among texts is one of them each."""
    match error.kind:
        case ValidationErrorKind.Type(types):
            return list(types)
        case ValidationErrorKind.Enum(options) if not isinstance(error.instance, str):
            return [msgspec.json.encode(option).decode() for option in options if isinstance(option, str)]
        case _:
            return []


def _say_others(problem: Problem, error: ValidationError, kinds: list[str]) -> str:
    """What else may stand where a choice was not met: a number in quotes is a text."""
    if problem.code != "invalid_choice" or not kinds:
        return ""
    text = error.instance
    like = f", like {text} without quotes" if isinstance(text, str) and text.isascii() and text.isdigit() else ""
    return f"; {_list_kinds(kinds)} may stand here as well{like}"


def _say_kinds(value: Any, kinds: list[str]) -> str:
    return f"it is {_name(value)}; it must be {_list_kinds(kinds)}"


def _list_kinds(kinds: list[str]) -> str:
    names = list(dict.fromkeys(_KINDS.get(kind, kind) for kind in kinds if kind != "integer" or "number" not in kinds))
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
