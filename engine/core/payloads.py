"""Which of a run's large outputs its state needs: they lie apart from the journal, and only these are loaded."""

from collections.abc import Iterable, Iterator, Sequence

from engine.core.events import PayloadRef, RunEvent, StepSucceeded
from engine.core.graph import Graph, Node


def find_needed(graph: Graph, events: Sequence[RunEvent]) -> dict[str, PayloadRef]:
    """The large outputs, by their steps' paths, that expressions may still read when the run goes on.

    Of the definition's own steps those that a step which has not succeeded, or the run's output, names; of iterations
    all, until their `foreach` has succeeded.
    """
    refs = {event.step: event.output_ref for event in events if type(event) is StepSucceeded and event.output_ref}
    if not refs:
        return {}
    done = {event.step for event in events if type(event) is StepSucceeded}
    named = _find_named(graph, done)
    return {path: ref for path, ref in refs.items() if _is_needed(path, done, named)}


def sum_payloads(events: Iterable[RunEvent]) -> int:
    """How many bytes of large outputs the run's journal refers to."""
    refs = (getattr(event, "output_ref", None) for event in events)
    return sum(ref.size for ref in refs if ref is not None)


def _is_needed(path: str, done: set[str], named: set[str] | None) -> bool:
    if "[" in path:
        return done.isdisjoint(_enclosing_loops(path))
    return named is None or path in named


def _enclosing_loops(path: str) -> Iterator[str]:
    position = path.find("[")
    while position >= 0:
        yield path[:position]
        position = path.find("[", position + 1)


def _find_named(graph: Graph, done: set[str]) -> set[str] | None:
    """The ids of steps that expressions which are still to be evaluated name; None where they may be any."""
    references = set() if graph.output is None else set(graph.output.references)
    for node in graph.nodes:
        if node.id not in done:
            references.update(_references_of(node))
    if ("steps",) in references:
        return None
    return {path[1] for path in references if path[0] == "steps" and len(path) > 1}


def _references_of(node: Node) -> Iterator[tuple[str, ...]]:
    yield from node.config.references
    if node.condition is not None:
        yield from node.condition.references
    for _, case in node.cases:
        yield from case.references
    if node.body is not None:
        yield from node.body.items.references
        yield from (("steps", step_id) for step_id in node.body.outer)
