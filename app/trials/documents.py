"""What of a draft is tested: the whole, or one step taken out of it; and whether the mocks fit."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from app.errors import InvalidDefinition, InvalidTest, NotFound
from engine.core.definition import ports_of
from engine.core.expressions import ExpressionError
from engine.core.problems import Problem
from engine.steps.compilation import compile_definition
from engine.steps.validation import validate_definition

_ITERATION = re.compile(r"\[\d+\]")


class Chosen(Struct, frozen=True, kw_only=True):
    """A step of a draft, the steps around it (the outermost first), and where it stands."""

    step: dict[str, Any]
    around: list[dict[str, Any]]
    pointer: str


def find_step(document: Mapping[str, Any], path: str) -> Chosen:
    """The step of an id, or of a path like `each.fetch`. Raises NotFound."""
    wanted = _ITERATION.sub("", path).split(".")
    for chosen in _walk(document, [], ""):
        ids = [step.get("id") for step in (*chosen.around, chosen.step)]
        if ids == wanted or ids[-1:] == wanted:
            return chosen
    raise NotFound("The draft has no such step.")


def isolate(chosen: Chosen) -> bytes:
    """A definition of the step alone. Raises InvalidDefinition with its own faults, as they stand in the draft."""
    document = _wrap(chosen.step, [])
    problems = _own_problems(chosen)
    if not problems:
        try:
            raw = msgspec.json.encode(document)
            compile_definition(raw)
        except (msgspec.MsgspecError, ExpressionError, KeyError, TypeError, ValueError, OverflowError) as error:
            problems = [Problem(chosen.pointer, "invalid_value", f"this step cannot be run by itself: {error}")]
        else:
            return raw
    raise InvalidDefinition(errors=problems)


def check_mocks(document: Mapping[str, Any], mocks: Mapping[str, Any]) -> None:
    """Raise InvalidTest where a mock is of no step of the document, or cannot tell which port its step takes."""
    if mocks:
        steps = {chosen.step.get("id"): chosen.step for chosen in _walk(document, [], "")}
        problems = [problem for name, output in mocks.items() for problem in _mock_problems(name, output, steps)]
        if problems:
            raise InvalidTest(errors=problems)


def _mock_problems(name: str, output: Any, steps: Mapping[Any, dict[str, Any]]) -> Iterator[Problem]:
    step = steps.get(name)
    if step is None:
        yield Problem(f"/mocks/{name}", "unknown_step", f"there is no step '{name}'")
    elif step["type"] == "if" and not isinstance(output, bool):
        yield Problem(f"/mocks/{name}", "type", "the output of an `if` is true or false")
    elif step["type"] == "switch" and output not in (ports := ports_of("switch", step.get("with"))):
        known = ", ".join(f"'{port}'" for port in ports)
        yield Problem(f"/mocks/{name}", "choice", f"the output of this `switch` is the case it takes: {known}")
    elif step["type"] == "approval" and not _is_decision(output, ports := ports_of("approval", step.get("with"))):
        known = ", ".join(f"'{port}'" for port in ports)
        yield Problem(
            f"/mocks/{name}", "choice", f"the output of an `approval` is an object whose `decision` is one of {known}"
        )


def _is_decision(output: Any, known: tuple[str, ...]) -> bool:
    return isinstance(output, dict) and output.get("decision") in known


def _walk(holder: Mapping[str, Any], around: list[dict[str, Any]], pointer: str) -> Iterator[Chosen]:
    steps = holder.get("steps")
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        if isinstance(step, dict):
            place = f"{pointer}/steps/{index}"
            yield Chosen(step=step, around=around, pointer=place)
            yield from _walk(step, [*around, step], place)


def _wrap(step: Mapping[str, Any], around: list[dict[str, Any]]) -> dict[str, Any]:
    """A definition of a step, within the steps around it, of which none waits for any other."""
    alone = {name: value for name, value in step.items() if name not in ("after", "join")}
    for outer in reversed(around):
        alone = {**{name: value for name, value in outer.items() if name not in ("after", "join")}, "steps": [alone]}
    return {"schema": 1, "steps": [alone]}


def _own_problems(chosen: Chosen) -> list[Problem]:
    """The faults of the step itself and of those within it, with pointers into the draft.

    It is looked at within the steps around it, for `item` and `index` are names there alone. Other steps that its
    expressions name are unknown there: the test's context has them.
    """
    place = "/steps/0" * (len(chosen.around) + 1)
    return [
        Problem(chosen.pointer + problem.pointer.removeprefix(place), problem.code, problem.message)
        for problem in validate_definition(_wrap(chosen.step, chosen.around))
        if problem.pointer.startswith(place)
        and (problem.code != "unknown_step" or "/after/" in problem.pointer.removeprefix(place))
    ]
