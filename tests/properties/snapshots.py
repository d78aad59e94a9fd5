"""A run's state as plain values: what two states must have in common to be the same."""

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.core.state import Frame, Loop, State
from engine.core.statuses import StepStatus


def dump(state: State, journalled: Mapping[str, str]) -> dict[str, Any]:
    """Everything of the state that decides what becomes of the run.

    Short attempts, and runs that are being started, stand in no journal: such a step is told as what the journal has
    of it (`journalled`: its last status there), for a worker that reads the journal begins it anew.
    """
    return {
        "status": state.status.value,
        "root": _dump_frame(state.root, journalled),
        "frames": sorted(state.frames),
        "waiting": {kind: count for kind, count in state.waiting.items() if count},
        "waits": {
            name: [frame.prefix + frame.graph.nodes[index].id for frame, index in waits]
            for name, waits in state.waits.items()
            if waits
        },
        "signals": {name: list(payloads) for name, payloads in state.signals.items() if payloads},
        "deadline_at": state.deadline_at,
        "mocks": state.mocks,
        "is_held": state.is_held,
        "latest_at": state.latest_at,
    }


def _dump_frame(frame: Frame, journalled: Mapping[str, str]) -> dict[str, Any]:
    steps = {
        node.id: _dump_step(frame, node.index, journalled.get(frame.prefix + node.id)) for node in frame.graph.nodes
    }
    return {
        "key": frame.key,
        "steps": steps,
        "scope": msgspec.json.decode(msgspec.json.encode(frame.scope)),
        "unfinished": frame.unfinished,
        "cancelled": frame.cancelled,
        "unhandled": frame.unhandled,
        "index": frame.index,
        "loops": {
            node.id: _dump_loop(loop, journalled)
            for node in frame.graph.nodes
            if (loop := frame.steps[node.index].loop) is not None
        },
    }


def _dump_step(frame: Frame, index: int, journalled: str | None) -> dict[str, Any]:
    step, node = frame.steps[index], frame.graph.nodes[index]
    is_attempted = step.status is StepStatus.RUNNING and node.body is None
    # What a step came to in an earlier round says nothing of this one.
    written = journalled if journalled in ("running", "retrying") else "pending"
    dumped: dict[str, Any] = {
        "unsettled": step.unsettled,
        "satisfied": step.satisfied,
        "base": step.base,
        "begun": msgspec.to_builtins(step.begun),
        "port": step.port,
        "open_listeners": step.open_listeners,
        "waits_for": step.waits_for,
        "signal": step.signal,
        "child_run_id": step.child_run_id,
    }
    if is_attempted:
        # An attempt's number is given when it begins.
        is_counted = written == "running" or node.type == "workflow"
        return dumped | {"status": written, "attempt": step.attempt - (not is_counted)}
    dumped |= {"status": step.status.value, "attempt": step.attempt}
    # When a retry is due is forgotten once it has begun.
    return dumped if step.status is StepStatus.RETRYING else dumped | {"due_at": step.due_at}


def _dump_loop(loop: Loop, journalled: Mapping[str, str]) -> dict[str, Any]:
    return {
        "items": loop.items,
        "concurrency": loop.concurrency,
        "continues": loop.continues,
        "results": msgspec.json.decode(msgspec.json.encode(loop.results)),
        "size": loop.size,
        "next": loop.next,
        "open": [_dump_frame(frame, journalled) for _, frame in sorted(loop.open.items())],
        "kept": [_dump_frame(frame, journalled) for _, frame in sorted(loop.kept.items())],
        "failure": msgspec.to_builtins(loop.failure),
    }


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two dumps differ, to be read by a person."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        return [line for key in keys for line in differences(one.get(key), other.get(key), f"{path}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for place, (a, b) in pairs for line in differences(a, b, f"{path}/{place}")]
    return [] if one == other else [f"{path}: {one!r} is not {other!r}"]
