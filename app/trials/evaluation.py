"""Evaluating an expression as execution would, beside the event loop."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.auth.principal import Principal
from app.dependencies import Isolation
from app.errors import ExpressionRefused, InvalidRequest, NotFound
from app.trials.schemas import Context, EvaluateRequest, Evaluation
from app.trials.scopes import NoSuchStep, context_scope, fill_in, find_outputs, run_scope
from engine.core.events import PayloadRef, RunEvent, decode_event
from engine.core.expressions import (
    ErrorCode,
    Expression,
    ExpressionError,
    Template,
    compile_expression,
    compile_template,
)
from engine.core.expressions.values import kind_of
from engine.core.graph import Graph
from engine.core.problems import Problem
from engine.infra.clock import Clock
from engine.steps.compilation import compile_definition
from engine.store.journal import read_journal
from engine.store.payloads import read_payloads
from engine.store.reads import RunRow, open_run
from engine.store.runs import load_definition

# What large outputs may take in memory together, as JSON.
MAX_LOADED_BYTES = 32 * 1024 * 1024
# Evaluations share the interpreter with the event loop: two at a time leave it a third of its time.
AT_ONCE = 2

_encoder = msgspec.json.Encoder()


class Evaluator:
    """Evaluates what people try out, in threads, so that the event loop serves others meanwhile."""

    def __init__(self, isolation: Isolation, clock: Clock) -> None:
        self._isolation = isolation
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def evaluate(self, principal: Principal, request: EvaluateRequest) -> Evaluation:
        """The value of the expression. Raises NotFound, InvalidRequest, InvalidTest or ExpressionRefused."""
        _check(request)
        async with self._turns:
            compiled = await asyncio.to_thread(_compile, request.expression)
            if request.run_id is msgspec.UNSET:
                context = Context() if request.context is msgspec.UNSET else request.context
                return await asyncio.to_thread(_evaluate, compiled, context_scope(context, self._clock.now()))
            path = "" if request.step is msgspec.UNSET else request.step
            return await self._evaluate_in_run(compiled, principal.workspace_id, request.run_id, path)

    async def _evaluate_in_run(
        self, compiled: Expression | Template, workspace_id: UUID, run_id: UUID, path: str
    ) -> Evaluation:
        async with self._isolation.read(workspace_id) as reader:
            row = await open_run(reader, run_id, workspace_id)
            if row is None:
                raise NotFound("There is no such run.")
            definition = await load_definition(reader, row.version_id)
            journal = await read_journal(reader, row.id)
        graph, events, outputs = await asyncio.to_thread(
            _read, definition, [entry["payload"] for entry in journal], path, compiled
        )
        data = await self._load(row, outputs, compiled) if outputs else {}
        return await asyncio.to_thread(_evaluate_at, compiled, row, graph, events, path, data)

    async def _load(
        self, row: RunRow, outputs: Mapping[str, PayloadRef], compiled: Expression | Template
    ) -> dict[str, bytes]:
        """The JSON of the outputs that the expression reads, by their steps' paths."""
        size = sum(ref.size for ref in outputs.values())
        if size > MAX_LOADED_BYTES:
            message = f"the expression reads outputs of {size:,} bytes together; here at most {MAX_LOADED_BYTES:,}"
            raise _refuse("too_long", message, compiled)
        # Of its own, for what came before took its time, and held no connection meanwhile.
        async with self._isolation.read(row.workspace_id) as reader:
            await open_run(reader, row.id, row.workspace_id)
            data = await read_payloads(reader, row.id, [ref.ref for ref in outputs.values()])
        for path, ref in outputs.items():
            if ref.ref not in data:
                raise _refuse("no_such_field", f"the output of '{path}' is kept no more", compiled)
        return {path: data[ref.ref] for path, ref in outputs.items()}


def _check(request: EvaluateRequest) -> None:
    problems: list[Problem] = []
    if request.run_id is not msgspec.UNSET and request.context is not msgspec.UNSET:
        problems.append(Problem("/context", "exclusive", "give either `run_id` or `context`, and not both"))
    if request.run_id is msgspec.UNSET and request.step is not msgspec.UNSET:
        problems.append(Problem("/step", "not_applicable", "a step is one of a run: give its `run_id` as well"))
    if problems:
        raise InvalidRequest(errors=problems)


def _compile(text: str) -> Expression | Template:
    """A template where the text holds `{{`, else a bare expression. Raises ExpressionRefused."""
    try:
        return compile_template(text) if "{{" in text else compile_expression(text)
    except ExpressionError as error:
        raise _describe(error) from None


def _read(
    definition: bytes, payloads: list[bytes], path: str, compiled: Expression | Template
) -> tuple[Graph, list[RunEvent], dict[str, PayloadRef]]:
    graph = compile_definition(definition)
    events = [decode_event(payload) for payload in payloads]
    return graph, events, find_outputs(graph, events, path, frozenset(compiled.references))


def _evaluate_at(
    compiled: Expression | Template,
    row: RunRow,
    graph: Graph,
    events: list[RunEvent],
    path: str,
    data: Mapping[str, bytes],
) -> Evaluation:
    outputs = {step: msgspec.json.decode(raw) for step, raw in data.items()}
    try:
        scope = run_scope(graph, fill_in(events, outputs), path, run_id=str(row.id), attempt=row.attempt)
    except NoSuchStep:
        raise InvalidRequest(
            errors=[Problem("/step", "unknown_step", f"the run has no step '{path}', or not yet")]
        ) from None
    return _evaluate(compiled, scope)


def _evaluate(compiled: Expression | Template, scope: Mapping[str, Any]) -> Evaluation:
    try:
        value = compiled.evaluate(scope) if isinstance(compiled, Expression) else compiled.render(scope)
    except ExpressionError as error:
        raise _describe(error) from None
    # Encoded here, for a large value takes its time.
    return Evaluation(value=msgspec.Raw(_encoder.encode(value)), type=kind_of(value))


def _describe(error: ExpressionError) -> ExpressionRefused:
    return ExpressionRefused(
        str(error),
        members={
            "kind": error.code,
            "message": error.message,
            "expression": error.expression,
            "position": error.position,
        },
    )


def _refuse(kind: ErrorCode, message: str, compiled: Expression | Template) -> ExpressionRefused:
    source = compiled.source if isinstance(compiled, Expression) else ""
    return _describe(ExpressionError(kind, message, 0, source))
