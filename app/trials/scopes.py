"""The names that an expression sees: those of a run, as far as its journal tells, or those of a given context."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from app.trials.schemas import Context
from app.trials.triggers import make_trigger
from engine.core.apply import apply_event
from engine.core.events import PayloadRef, RunEvent, StepSucceeded, is_step_event
from engine.core.graph import Graph, find_node
from engine.core.loops import open_iteration_of
from engine.core.replay import replay
from engine.core.state import Frame

Scope = dict[str, Any]


class NoSuchStep(LookupError):
    """The run has no step, or no iteration, of this path."""


def preset_scope(context: Context) -> Scope:
    """What a context adds to the names of a run: its steps, its variables, its item."""
    steps = {step_id: msgspec.to_builtins(result) for step_id, result in context.steps.items()}
    item = {} if context.item is UNSET else {"item": context.item}
    index = {} if context.index is UNSET else {"index": context.index}
    return {"steps": steps, "vars": context.vars, **item, **index}


def context_scope(context: Context, at: datetime) -> Scope:
    """All names that an expression sees in a context. Raises InvalidTest."""
    return {
        "trigger": msgspec.to_builtins(make_trigger(context.trigger, at, pointer="/context/trigger")),
        "input": {} if context.input is UNSET else context.input,
        "run": {"id": None, "started_at": None, "attempt": 1},
        "workflow": {"id": None, "name": None, "version": None},
        **preset_scope(context),
    }


def run_scope(graph: Graph, events: Sequence[RunEvent], path: str, *, run_id: str, attempt: int) -> Scope:
    """The names that the step of this path sees (empty: the run's own steps), once all beside it has ended.

    In an iteration all steps around it are seen, whether its other expressions name them or not. Raises NoSuchStep.
    """
    if path and find_node(graph, path) is None:
        raise NoSuchStep(path)
    key = path.rpartition(".")[0]
    if not key:
        return replay(graph, events, run_id=run_id, attempt=attempt).scope
    frame = _replay_iteration(graph, events, path, run_id=run_id, attempt=attempt)
    steps: Scope = {}
    around: Frame | None = frame
    while around is not None:
        steps = around.scope["steps"] | steps
        around = None if around.loop is None else around.loop.frame
    return frame.scope | {"steps": steps}


def find_outputs(
    graph: Graph, events: Sequence[RunEvent], path: str, references: frozenset[tuple[str, ...]]
) -> dict[str, PayloadRef]:
    """The large outputs, by their steps' paths, that these references and the items on the way to `path` read."""
    prefixes = list(_prefixes(path))
    needed = _named(prefixes, references, events)
    for depth, key in enumerate(prefixes[1:], start=1):
        node = find_node(graph, key.removesuffix("]").rpartition("[")[0])
        if node is not None and node.body is not None:
            needed |= _named(prefixes[:depth], node.body.items.references, events)
    return needed


def fill_in(events: Sequence[RunEvent], outputs: dict[str, Any]) -> list[RunEvent]:
    """The events with these outputs, by path, in the place of references to them."""
    return [
        msgspec.structs.replace(event, output=outputs[event.step])
        if isinstance(event, StepSucceeded) and event.output_ref is not None and event.step in outputs
        else event
        for event in events
    ]


def _named(
    prefixes: Sequence[str], references: frozenset[tuple[str, ...]], events: Sequence[RunEvent]
) -> dict[str, PayloadRef]:
    """The large outputs that references made below the last of these iterations mean."""
    named = {reference[1] if len(reference) > 1 else None for reference in references if reference[0] == "steps"}
    return {
        event.step: event.output_ref
        for event in events
        if isinstance(event, StepSucceeded) and event.output_ref is not None and _is_meant(event.step, prefixes, named)
    }


def _is_meant(path: str, prefixes: Sequence[str], named: set[str | None]) -> bool:
    key, _, step_id = path.rpartition(".")
    return key in prefixes and (step_id in named or None in named)


def _prefixes(path: str) -> Iterator[str]:
    """The iterations that a path lies in, the outermost first, after the run itself, whose prefix is empty."""
    yield ""
    position = path.find(".")
    while position >= 0:
        yield path[:position]
        position = path.find(".", position + 1)


def _replay_iteration(graph: Graph, events: Sequence[RunEvent], path: str, *, run_id: str, attempt: int) -> Frame:
    """The frame of an iteration with all that happened in it: a finished one is dropped, so it is caught before."""
    prefix = path.rpartition(".")[0] + "."
    last = max(
        (at for at, event in enumerate(events) if is_step_event(event) and event.step.startswith(prefix)), default=-1
    )
    before = events if last < 0 else events[:last]
    state = replay(graph, before, run_id=run_id, attempt=attempt)
    try:
        frame = state.frames.get(prefix[:-1]) or open_iteration_of(state, path)[0]
    except (KeyError, ValueError) as error:
        raise NoSuchStep(path) from error
    if last >= 0:
        apply_event(graph, state, events[last])
    return frame
