"""What is wrong with a definition beyond its shape: the graph and the expressions, all at once, with pointers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from engine.core.expressions import Expression, ExpressionError, Template, compile_expression, compile_template
from engine.core.graph import ERROR_PORT, split_entry
from engine.core.problems import Problem

ROOT_FIELDS: dict[str, tuple[str, ...] | None] = {
    "trigger": None,
    "input": None,
    "vars": None,
    "steps": None,
    "run": ("id", "started_at", "attempt"),
    "workflow": ("id", "name", "version"),
}
STEP_FIELDS = ("output", "status", "error")
_EXPRESSION_FIELDS = {"if": ("condition",)}


class _Sketch(Struct, kw_only=True):
    """A step as far as it can be read: enough to check the rest although another part is wrong."""

    pointer: str
    id: str
    type: str
    after: list[tuple[str, str]]
    config: Any


def find_graph_problems(document: Mapping[str, Any], ports: Mapping[str, Sequence[str]]) -> list[Problem]:
    """The faults of a definition's graph and expressions.

    `document` is the definition as decoded from JSON, of any shape; `ports` the known step types with their ports
    beside `error`. Faults of the shape itself are left to the schema.
    """
    sketches = list(_read_steps(document))
    by_id: dict[str, int] = {}
    for index, sketch in enumerate(sketches):
        by_id.setdefault(sketch.id, index)
    problems = [*_duplicate_ids(sketches), *_bad_entries(sketches, by_id, ports)]
    parents = [[by_id[source] for source, _ in sketch.after if source in by_id] for sketch in sketches]
    order = _sort_topologically(parents)
    cyclic = set(range(len(sketches))) - set(order)
    problems += _cycle_problems(sketches, parents, cyclic)
    ancestors = _ancestors(parents, order)
    for index, sketch in enumerate(sketches):
        upstream = None if index in cyclic else {sketches[i].id for i in _bits(ancestors[index])}
        problems += _expression_problems(sketch, set(by_id), upstream)
    problems += _document_expression_problems(document, set(by_id))
    return problems


def _read_steps(document: Mapping[str, Any]) -> Iterator[_Sketch]:
    steps = document.get("steps")
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        if not isinstance(step, dict) or not isinstance(step.get("id"), str):
            continue
        after = step.get("after")
        entries = [entry for entry in after if isinstance(entry, str)] if isinstance(after, list) else []
        step_type = step.get("type")
        yield _Sketch(
            pointer=f"/steps/{index}",
            id=step["id"],
            type=step_type if isinstance(step_type, str) else "",
            after=[split_entry(entry) for entry in entries],
            config=step.get("with", {}),
        )


def _duplicate_ids(sketches: list[_Sketch]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for sketch in sketches:
        if sketch.id in seen:
            message = f"the id '{sketch.id}' is taken by the step at {seen[sketch.id]}; every step needs its own"
            yield Problem(f"{sketch.pointer}/id", "duplicate_step", message)
        seen.setdefault(sketch.id, sketch.pointer)


def _bad_entries(
    sketches: list[_Sketch], by_id: Mapping[str, int], ports: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    for sketch in sketches:
        for position, (source, port) in enumerate(sketch.after):
            pointer = f"{sketch.pointer}/after/{position}"
            if source not in by_id:
                yield Problem(pointer, "unknown_step", f"there is no step '{source}'{_suggest(source, by_id)}")
                continue
            source_type = sketches[by_id[source]].type
            known = (*ports.get(source_type, ()), ERROR_PORT)
            if port and source_type in ports and port not in known:
                listing = ", ".join(f"'{name}'" for name in known)
                message = f"step '{source}' ({source_type}) has no port '{port}'; it has {listing}"
                yield Problem(pointer, "unknown_port", message)


def _suggest(name: str, known: Mapping[str, int]) -> str:
    listing = ", ".join(f"'{step_id}'" for step_id in list(known)[:10])
    return f"; the steps are {listing}" if known and name not in known else ""


def _sort_topologically(parents: list[list[int]]) -> list[int]:
    """The steps with every parent before its children; those on or behind a cycle are left out."""
    children: list[list[int]] = [[] for _ in parents]
    missing = [len(sources) for sources in parents]
    for index, sources in enumerate(parents):
        for source in sources:
            children[source].append(index)
    order = [index for index, count in enumerate(missing) if not count]
    for index in order:
        for child in children[index]:
            missing[child] -= 1
            if not missing[child]:
                order.append(child)
    return order


def _cycle_problems(sketches: list[_Sketch], parents: list[list[int]], cyclic: set[int]) -> Iterator[Problem]:
    """One problem a cycle: from every step that could not be sorted, walk back until a step comes again."""
    visited: set[int] = set()
    for start in sorted(cyclic):
        walk: dict[int, int] = {}
        index = start
        while index not in visited and index not in walk:
            walk[index] = len(walk)
            index = next(source for source in parents[index] if source in cyclic)
        visited |= walk.keys()
        if index in walk:
            loop = [step for step, place in walk.items() if place >= walk[index]][::-1]
            names = " -> ".join(f"'{sketches[i].id}'" for i in [*loop, loop[0]])
            yield Problem(f"{sketches[min(loop)].pointer}/after", "cycle", f"the steps wait for each other: {names}")


def _ancestors(parents: list[list[int]], order: list[int]) -> list[int]:
    """For every step the set of its ancestors, as a bit mask."""
    masks = [0] * len(parents)
    for index in order:
        for source in parents[index]:
            masks[index] |= masks[source] | (1 << source)
    return masks


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _expression_problems(sketch: _Sketch, known: set[str], upstream: set[str] | None) -> Iterator[Problem]:
    if not isinstance(sketch.config, dict):
        return
    bare = _EXPRESSION_FIELDS.get(sketch.type, ())
    for field, value in sketch.config.items():
        pointer = f"{sketch.pointer}/with/{_escape(field)}"
        if field in bare:
            if isinstance(value, str):
                yield from _check(lambda text=value: compile_expression(text), pointer, sketch.id, known, upstream)
        else:
            yield from _check(lambda item=value: compile_template(item), pointer, sketch.id, known, upstream)


def _document_expression_problems(document: Mapping[str, Any], known: set[str]) -> Iterator[Problem]:
    if "output" in document:
        yield from _check(lambda: compile_template(document["output"]), "/output", None, known, known)
    settings = document.get("settings")
    if isinstance(settings, dict) and "timeout" in settings:
        timeout = settings["timeout"]
        yield from _check(lambda: compile_template(timeout), "/settings/timeout", None, known, set())


def _check(
    compiled: Any, pointer: str, step_id: str | None, known: set[str], upstream: set[str] | None
) -> Iterator[Problem]:
    try:
        expression: Expression | Template = compiled()
    except ExpressionError as error:
        detail = f"{error.message} (at position {error.position} of `{error.expression}`)"
        yield Problem(pointer + (error.pointer or ""), error.code, detail)
        return
    for reference in sorted(expression.references):
        problem = _reference_problem(reference, step_id, known, upstream)
        if problem is not None:
            yield Problem(pointer, *problem)


def _reference_problem(
    reference: tuple[str, ...], step_id: str | None, known: set[str], upstream: set[str] | None
) -> tuple[str, str] | None:
    root, *path = reference
    if root not in ROOT_FIELDS:
        return "unknown_name", f"there is no name '{root}'; the names are {', '.join(sorted(ROOT_FIELDS))}"
    fields = ROOT_FIELDS[root]
    if fields is not None and path and path[0] not in fields:
        return "unknown_name", f"'{root}' has no field '{path[0]}'; it has {', '.join(fields)}"
    if root != "steps":
        return None
    if not path:
        return "unknown_name", "name a step after `steps`, like steps.fetch.output"
    source, *rest = path
    if source not in known:
        return "unknown_step", f"there is no step '{source}'"
    if rest and rest[0] not in STEP_FIELDS:
        return "unknown_name", f"a step has no field '{rest[0]}'; it has {', '.join(STEP_FIELDS)}"
    if upstream is not None and source not in upstream:
        reader = (
            "the settings are read before any step runs" if step_id is None else f"'{step_id}' does not wait for it"
        )
        return (
            "not_upstream",
            f"'{source}' may not have run yet: {reader}; add it to `after`, directly or through others",
        )
    return None


def _escape(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
