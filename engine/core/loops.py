"""The iterations of a `foreach`: which of them are open, and what each of them gives."""

from typing import Any

import msgspec
from msgspec import Struct

from engine.core.control import name_type, show_value
from engine.core.events import ErrorInfo
from engine.core.expressions import ExpressionError
from engine.core.failures import InvalidConfig, describe_expression_error, evaluate_field
from engine.core.graph import Node
from engine.core.rounds import reset_frame
from engine.core.state import Frame, Loop, State, StepRun, create_frame

MAX_ITEMS = 100_000
MAX_OUTPUT_BYTES = 16 * 1024 * 1024

_encoder = msgspec.json.Encoder()


class PreparedLoop(Struct, frozen=True, kw_only=True):
    """What a `foreach` works on, its expressions filled in. `concurrency`: how many items at a time."""

    items: list[Any]
    concurrency: int
    continues: bool


def prepare_loop(frame: Frame, node: Node) -> PreparedLoop:
    """Evaluate the items and settings of a `foreach`; raises ExpressionError or InvalidConfig."""
    assert node.body is not None
    items = evaluate_field(node.body.items, frame.scope, "/items")
    if not isinstance(items, list):
        raise InvalidConfig(f"`items` gave {name_type(items)}; it must give a list", "/items")
    if len(items) > MAX_ITEMS:
        raise InvalidConfig(f"`items` gave {len(items):,} items; a `foreach` takes at most {MAX_ITEMS:,}", "/items")
    config = node.config.render(frame.scope)
    concurrency = config.get("concurrency", MAX_ITEMS)
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise InvalidConfig(
            f"`concurrency` is {show_value(concurrency)}; it must be a whole number, 1 or more", "/concurrency"
        )
    return PreparedLoop(
        items=items, concurrency=concurrency, continues=config.get("on_item_error", "fail") == "continue"
    )


def start_loop(state: State, frame: Frame, node: Node, count: int) -> None:
    """A `foreach` starts with `count` items, or goes on in a new round with what was left of it."""
    step = frame.steps[node.index]
    if step.loop is not None:
        _resume(state, step.loop)
        return
    path = frame.prefix + node.id
    is_past = path in state.past_loops
    prepared: PreparedLoop | None = state.prepared
    if prepared is None and not (is_past or state.is_bare):
        try:
            prepared = prepare_loop(frame, node)
        except (ExpressionError, InvalidConfig):
            # Read without its large outputs, which only somebody does who wants to look at the steps.
            prepared = None
    state.prepared = None
    if prepared is None:
        # Who looks at steps may ask for any item.
        concurrency = 0 if state.is_bare else count or 1
        prepared = PreparedLoop(items=[None] * count, concurrency=concurrency, continues=True)
    step.loop = Loop(
        frame=frame,
        node=node,
        items=prepared.items,
        concurrency=prepared.concurrency,
        continues=prepared.continues,
        is_past=is_past,
    )
    _open_more(state, step.loop)


def open_iteration_of(state: State, path: str) -> tuple[Frame, Node]:
    """Open the iteration that a step's path lies in, out of turn; raises KeyError where there can be none."""
    key, _, _ = path.rpartition(".")
    loop_path, _, number = key.removesuffix("]").rpartition("[")
    outer, node = state.locate(loop_path)
    loop = outer.steps[node.index].loop
    if loop is None or not number.isdigit() or int(number) >= len(loop.items):
        raise KeyError(path)
    _open(state, loop, int(number))
    return state.locate(path)


def end_iteration(state: State, frame: Frame) -> None:
    """Every step of an iteration has ended: keep what it gives, and begin the next one."""
    loop = frame.loop
    assert loop is not None
    if loop.is_past:
        _discard(state, frame)
    else:
        del state.frames[frame.key]
    del loop.open[frame.index]
    if frame.unhandled is None and frame.cancelled:
        # The loop is being broken off.
        loop.kept[frame.index] = frame
        return
    _keep_result(loop, frame)
    if loop.failure is None:
        _open_more(state, loop)
    else:
        state.closing.append(loop)


def end_loop(state: State, step: StepRun) -> None:
    """Let go of the iterations of a step that has succeeded.

    Read again, a loop that is past may have some open that an earlier round of the run ended.
    """
    if step.loop is None:
        return
    for frame in step.loop.open.values():
        _discard(state, frame)
    step.loop = None


def _discard(state: State, frame: Frame) -> None:
    if state.frames.get(frame.key) is frame:
        del state.frames[frame.key]
    for step in frame.steps:
        end_loop(state, step)


def _keep_result(loop: Loop, frame: Frame) -> None:
    if loop.is_past:
        return
    error: Any = None
    result: Any = None
    if frame.unhandled is not None:
        error = frame.scope["steps"][frame.graph.nodes[frame.unhandled].id]["error"]
    else:
        try:
            result = _make_result(loop, frame)
        except ExpressionError as problem:
            error = msgspec.to_builtins(describe_expression_error(problem))
    if error is not None and not loop.continues:
        loop.kept[frame.index] = frame
        loop.failure = loop.failure or _describe_failure(frame.index, error, is_own=frame.unhandled is None)
        return
    loop.results[frame.index] = result = result if error is None else {"error": error}
    loop.size += len(_encoder.encode(result))
    if loop.size > MAX_OUTPUT_BYTES:
        loop.failure = loop.failure or ErrorInfo(
            code="output_too_large",
            message=f"the results of its items exceed {MAX_OUTPUT_BYTES // 1_048_576} MiB together; "
            "give an `output` that keeps only what is needed of each",
        )


def _make_result(loop: Loop, frame: Frame) -> Any:
    assert loop.node.body is not None
    if loop.node.body.output is not None:
        try:
            return loop.node.body.output.render(frame.scope)
        except ExpressionError as error:
            error.pointer = f"/output{error.pointer}"
            raise
    steps = frame.scope["steps"]
    return {node.id: steps[node.id]["output"] for node in frame.graph.nodes}


def _describe_failure(index: int, error: Any, *, is_own: bool) -> ErrorInfo:
    """`is_own`: what failed is no step of the item, but the `output` of the `foreach`, and so an expression of it."""
    place = {field: error.get(field) for field in ("expression", "position", "pointer")} if is_own else {}
    return ErrorInfo(
        code="item_failed",
        message=f"item {index} failed: {error['message']}",
        status=error.get("status"),
        details={"index": index, "error": error},
        **place,
    )


def _open_more(state: State, loop: Loop) -> None:
    """Begin iterations as far as the concurrency allows."""
    while loop.next < len(loop.items) and len(loop.open) < loop.concurrency:
        index = loop.next
        loop.next += 1
        if index not in loop.results and index not in loop.open:
            _open(state, loop, index)
    if loop.is_done:
        state.closing.append(loop)


def _open(state: State, loop: Loop, index: int) -> None:
    assert loop.node.body is not None
    outer = loop.frame
    known = outer.scope["steps"]
    scope = outer.scope | {
        "steps": {step_id: known[step_id] for step_id in loop.node.body.outer if step_id in known},
        "item": loop.items[index],
        "index": index,
    }
    frame = create_frame(loop.node.body.graph, scope, key=f"{outer.prefix}{loop.node.id}[{index}]")
    frame.loop, frame.index = loop, index
    loop.open[index] = frame
    state.frames[frame.key] = frame
    state.unresolved.extend((frame, root) for root in frame.graph.roots)


def _resume(state: State, loop: Loop) -> None:
    """Go on with the iterations that failed, were broken off, or had not begun."""
    frames = loop.kept | loop.open
    loop.kept, loop.open = {}, dict(sorted(frames.items()))
    loop.failure, loop.is_closing = None, False
    for frame in list(loop.open.values()):
        outer = loop.frame.scope
        frame.scope.update(run=outer["run"], vars=outer["vars"])
        state.frames[frame.key] = frame
        reset_frame(state, frame)
        if not frame.unfinished:
            end_iteration(state, frame)
    _open_more(state, loop)
