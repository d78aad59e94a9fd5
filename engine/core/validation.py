"""What is wrong with a definition beyond its shape: the graph and the expressions, all at once, with pointers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.core.definition import BARE_EXPRESSIONS, CONTROL_PORTS, ITEM_NAMES, MAX_NESTING, ports_of
from engine.core.expressions import (
    Allowance,
    AllowanceSpent,
    Expression,
    ExpressionError,
    Template,
    compile_expression,
    compile_template,
)
from engine.core.expressions.fuel import MAX_TEMPLATE_DEPTH
from engine.core.graph import ERROR_PORT, split_entry
from engine.core.places import Place, escape_token, write_pointer
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


class _Sketch(Struct, kw_only=True):
    """A step as far as it can be read: enough to check the rest although another part is wrong."""

    pointer: str
    id: str
    type: str
    after: list[tuple[str, str]]
    config: Any
    body: "list[_Sketch]"


class _Names(Struct, frozen=True, kw_only=True):
    """What an expression may name: the document's steps, those that have ended (None: not known), other names.

    `reader` is the step that it belongs to, None for the document itself; `allowance` what is left for all of them.
    """

    allowance: Allowance
    known: AbstractSet[str]
    upstream: AbstractSet[str] | None
    reader: str | None
    others: tuple[str, ...] = ()


class _TooManyParts(Exception):
    """The expression at `pointer` is beyond what the definition's may have together."""

    def __init__(self, pointer: str, spent: AllowanceSpent) -> None:
        super().__init__(str(spent))
        self.pointer = pointer


def find_graph_problems(document: Mapping[str, Any], ports: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """The faults of a definition's graph and expressions, found one by one as they are asked for.

    `document` is the definition as decoded from JSON, of any shape; `ports` the known step types with their ports
    beside `error`. Faults of the shape itself are left to the schema. The last one of all is that there are too many
    expressions: what follows is not read, for it would take too long.
    """
    sketches = _read_steps(document, "", 0)
    everything = list(_walk(sketches))
    names = _Names(
        allowance=Allowance(), known=frozenset(sketch.id for sketch in everything), upstream=frozenset(), reader=None
    )
    yield from _duplicate_ids(everything)
    try:
        yield from _level_problems(sketches, ports, names)
        yield from _document_expression_problems(document, names, frozenset(sketch.id for sketch in sketches))
    except _TooManyParts as excess:
        message = (
            f"up to here the expressions of this definition have more than {excess} together, which is the most; "
            "leave parts to workflows of their own, which `workflow` steps run"
        )
        yield Problem(excess.pointer, "too_many_parts", message)


def _read_steps(holder: Mapping[str, Any], pointer: str, depth: int) -> list[_Sketch]:
    steps = holder.get("steps")
    sketches: list[_Sketch] = []
    for index, step in enumerate(steps if isinstance(steps, list) and depth <= MAX_NESTING else []):
        if not isinstance(step, dict) or not isinstance(step.get("id"), str):
            continue
        after = step.get("after")
        entries = [entry for entry in after if isinstance(entry, str)] if isinstance(after, list) else []
        step_type = step.get("type")
        place = f"{pointer}/steps/{index}"
        sketches.append(
            _Sketch(
                pointer=place,
                id=step["id"],
                type=step_type if isinstance(step_type, str) else "",
                after=[split_entry(entry) for entry in entries],
                config=step.get("with", {}),
                body=_read_steps(step, place, depth + 1),
            )
        )
    return sketches


def _walk(sketches: list[_Sketch]) -> Iterator[_Sketch]:
    for sketch in sketches:
        yield sketch
        yield from _walk(sketch.body)


def _level_problems(
    sketches: list[_Sketch],
    ports: Mapping[str, Sequence[str]],
    around: _Names,
) -> Iterator[Problem]:
    """The faults of steps that stand beside each other; `around` is what the `foreach` around them may name."""
    by_id: dict[str, int] = {}
    for index, sketch in enumerate(sketches):
        by_id.setdefault(sketch.id, index)
    yield from _bad_entries(sketches, by_id, ports)
    parents = [[by_id[source] for source, _ in sketch.after if source in by_id] for sketch in sketches]
    order = _sort_topologically(parents)
    cyclic = set(range(len(sketches))) - set(order)
    yield from _cycle_problems(sketches, parents, cyclic)
    ancestors = _ancestors(parents, order)
    for index, sketch in enumerate(sketches):
        upstream: AbstractSet[str] | None = None
        if index not in cyclic and around.upstream is not None:
            upstream = around.upstream | {sketches[i].id for i in _bits(ancestors[index])}
        names = replace(around, upstream=upstream, reader=sketch.id)
        yield from _expression_problems(sketch, names)
        yield from _level_problems(sketch.body, ports, replace(names, others=ITEM_NAMES))


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
                yield Problem(pointer, "unknown_step", f"there is no step '{source}' here{_suggest(source, by_id)}")
                continue
            source_type = sketches[by_id[source]].type
            known = (*_ports(sketches[by_id[source]], ports), ERROR_PORT)
            if port and source_type in ports and port not in known:
                listing = ", ".join(f"'{name}'" for name in known)
                message = f"step '{source}' ({source_type}) has no port '{port}'; it has {listing}"
                yield Problem(pointer, "unknown_port", message)


def _ports(sketch: _Sketch, ports: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return ports_of(sketch.type, sketch.config) if sketch.type in CONTROL_PORTS else ports.get(sketch.type, ())


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


def _expression_problems(sketch: _Sketch, names: _Names) -> Iterator[Problem]:
    if not isinstance(sketch.config, dict):
        return
    bare = BARE_EXPRESSIONS.get(sketch.type, ())
    for field, value in sketch.config.items():
        pointer = f"{sketch.pointer}/with/{escape_token(field)}"
        if field not in bare:
            seen = _item_names(sketch, names) if sketch.type == "foreach" and field == "output" else names
            yield from _template_problems(value, pointer, seen)
        elif isinstance(value, str):
            yield from _check(compile_expression, value, pointer, names)
        elif isinstance(value, dict):
            for name, text in value.items():
                if isinstance(text, str):
                    yield from _check(compile_expression, text, pointer, names, ((), name))


def _item_names(sketch: _Sketch, names: _Names) -> _Names:
    """What the `output` of a `foreach` may name: it is made when the steps of an item have ended."""
    upstream = None if names.upstream is None else names.upstream | {step.id for step in sketch.body}
    return replace(names, upstream=upstream, others=ITEM_NAMES)


def _document_expression_problems(
    document: Mapping[str, Any], names: _Names, top: AbstractSet[str]
) -> Iterator[Problem]:
    if "output" in document:
        yield from _template_problems(document["output"], "/output", replace(names, upstream=top))
    settings = document.get("settings")
    if not isinstance(settings, dict):
        return
    if "timeout" in settings:
        yield from _template_problems(settings["timeout"], "/settings/timeout", names)
    concurrency = settings.get("concurrency")
    if isinstance(concurrency, dict):
        for field in ("key", "limit"):
            yield from _template_problems(concurrency.get(field), f"/settings/concurrency/{field}", names)


def _template_problems(value: Any, pointer: str, names: _Names, place: Place = (), depth: int = 0) -> Iterator[Problem]:
    """What is wrong with each text of a template: compiled whole, it would tell of the first one alone.

    The template stands at `pointer`, and the value at this place in it.
    """
    if isinstance(value, str):
        yield from _check(compile_template, value, pointer, names, place)
    elif isinstance(value, dict | list):
        if depth >= MAX_TEMPLATE_DEPTH:
            yield Problem(pointer + write_pointer(place), "too_long", f"nested deeper than {MAX_TEMPLATE_DEPTH}")
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _template_problems(item, pointer, names, (place, key), depth + 1)


def _check(
    read: Callable[[str, Allowance], Expression | Template], text: str, pointer: str, names: _Names, place: Place = ()
) -> Iterator[Problem]:
    try:
        expression = read(text, names.allowance)
    except AllowanceSpent as spent:
        raise _TooManyParts(pointer + write_pointer(place), spent) from None
    except ExpressionError as error:
        detail = f"{error.message} (at position {error.position} of `{error.expression}`)"
        yield Problem(pointer + write_pointer(place) + (error.pointer or ""), error.code, detail)
        return
    for reference in sorted(expression.references):
        problem = _reference_problem(reference, names)
        if problem is not None:
            yield Problem(pointer + write_pointer(place), *problem)


def _reference_problem(reference: tuple[str, ...], names: _Names) -> tuple[str, str] | None:
    root, *path = reference
    if root in names.others:
        return None
    if root not in ROOT_FIELDS:
        listing = ", ".join(sorted((*ROOT_FIELDS, *names.others)))
        return "unknown_name", f"there is no name '{root}'; the names are {listing}"
    fields = ROOT_FIELDS[root]
    if fields is not None and path and path[0] not in fields:
        return "unknown_name", f"'{root}' has no field '{path[0]}'; it has {', '.join(fields)}"
    if root != "steps":
        return None
    if not path:
        return "unknown_name", "name a step after `steps`, like steps.fetch.output"
    source, *rest = path
    if source not in names.known:
        return "unknown_step", f"there is no step '{source}'"
    if rest and rest[0] not in STEP_FIELDS:
        return "unknown_name", f"a step has no field '{rest[0]}'; it has {', '.join(STEP_FIELDS)}"
    if names.upstream is not None and source not in names.upstream:
        return "not_upstream", _explain_not_upstream(source, names)
    return None


def _explain_not_upstream(source: str, names: _Names) -> str:
    if names.reader is not None:
        return (
            f"'{source}' may not have run yet: '{names.reader}' does not wait for it; add it to `after`, directly or "
            "through others (the steps of a `foreach` are seen within it alone)"
        )
    if names.upstream:
        return f"'{source}' is a step of a `foreach`: name the `foreach`, whose output has what every item gave"
    return f"'{source}' may not have run yet: the settings are read before any step runs"
