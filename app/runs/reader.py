"""Reading one run: what its views need of the database, and no more."""

import asyncio
import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from app.dependencies import Isolation
from app.errors import InvalidRequest, NotFound
from app.runs.iterations import Iterations
from app.runs.previews import GIVEN_FIELDS
from app.runs.schemas import IterationView, RunDetail
from app.runs.telling import Level
from app.runs.views import Events, Surroundings, describe_run, find_children
from engine.core.accounting import Timing
from engine.core.definition import Definition
from engine.core.events import (
    RunQueued,
    RunSignalled,
    RunStarted,
    RunSucceeded,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    decode_event,
)
from engine.core.graph import Graph, find_node
from engine.core.problems import Problem
from engine.core.statuses import TERMINAL_RUN, RunStatus
from engine.infra.clock import Clock
from engine.steps.compilation import compile_definition
from engine.store.histories import (
    Outcome,
    TopLevel,
    read_children,
    read_failures,
    read_iterations,
    read_outcomes,
    read_timings,
    read_top_level,
)
from engine.store.journal import read_journal
from engine.store.payloads import read_payload
from engine.store.reads import RunRow, find_approvals, find_statuses, list_holders, open_run
from engine.store.runs import load_definition

_CACHED_VERSIONS: Final = 128
_MOST_HOLDERS: Final = 10
_MOST_CHILDREN: Final = 1_000
_LARGEST_SEQ: Final = 2_147_483_647
_INLINE = re.compile(rf"(?P<seq>[0-9]{{1,10}})(?:\.(?P<field>{'|'.join(sorted(GIVEN_FIELDS))}))?")
_PAYLOAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_Version = tuple[Definition, Graph]


class RunReader:
    """Reads runs. Versions never change, so that their definitions are compiled once and kept."""

    def __init__(self, isolation: Isolation, clock: Clock) -> None:
        self._isolation = isolation
        self._clock = clock
        self._versions: dict[UUID, _Version] = {}
        self._compiling: dict[UUID, asyncio.Task[_Version]] = {}

    async def read(self, row: RunRow) -> RunDetail:
        """The run with its top-level steps; raises NotFound once its history is kept no more."""
        definition, graph = await self._version(row)
        # One moment for all of it: a row that is behind its journal would lack what has happened in between.
        async with self._isolation.read(row.workspace_id) as reader:
            row = await open_run(reader, row.id, row.workspace_id) or row
            history = await read_top_level(reader, row.id)
            events = await _decode(history)
            surroundings = await self._survey(reader, row, graph, history, events)
        return await asyncio.to_thread(describe_run, row, definition, graph, events, surroundings)

    async def list_iterations(
        self, row: RunRow, parent: str, *, first: int, limit: int, only_failed: bool
    ) -> Sequence[IterationView]:
        """Up to `limit` items of the `foreach` of this path, from the item `first` on.

        Each level of nesting, each `foreach` within, and looking for those that failed passes over the run's journal
        once. Raises InvalidRequest for a path that is no `foreach`, and NotFound.
        """
        definition, graph = await self._version(row)
        node = find_node(graph, parent)
        if node is None or node.body is None:
            problem = Problem("/query/parent", "unknown_step", "there is no `foreach` of this path")
            raise InvalidRequest(errors=[problem])
        iterations = Iterations(row, definition, graph, self._clock.now())
        async with self._isolation.read(row.workspace_id) as reader:
            await open_run(reader, row.id, row.workspace_id)
            page = range(first, first + limit)
            found = await _list_page(reader, row.id, iterations, parent, page, only_failed=only_failed)
        # What takes long, and needs no rows any more, holds no connection.
        return await asyncio.to_thread(iterations.describe, *found)

    async def _survey(
        self, reader: asyncpg.Connection, row: RunRow, graph: Graph, history: TopLevel, events: Events
    ) -> Surroundings:
        loops = {event.step for _, event in events if isinstance(event, StepStarted) and event.items}
        timings: list[Timing] = await read_timings(reader, row.id) if loops else []
        waiting = {event.step for _, event in events if isinstance(event, StepWaiting) and event.reason == "approval"}
        is_open = RunStatus(row.status) not in TERMINAL_RUN
        is_held = is_open and row.concurrency_key is not None and row.slot_at is None
        within = await read_children(reader, row.id, _MOST_CHILDREN) if loops and _starts_runs_in_loops(graph) else []
        started = sorted([*events, *((seq, decode_event(payload)) for seq, payload in within)], key=itemgetter(0))
        children = find_children(started)[:_MOST_CHILDREN]
        return Surroundings(
            last_seq=history.last_seq,
            now=self._clock.now(),
            outcomes=await read_outcomes(reader, row.id, sorted(loops)),
            timings=timings,
            approvals=await find_approvals(reader, row.id, sorted(waiting)) if waiting and is_open else {},
            children=children,
            statuses=await find_statuses(reader, [run_id for _, run_id in children], row.workspace_id)
            if children
            else {},
            holders=await list_holders(reader, row, _MOST_HOLDERS) if is_held else (),
        )

    async def _version(self, row: RunRow) -> _Version:
        version_id = row.version_id
        known = self._versions.get(version_id)
        if known is not None:
            return known
        # One compiles, however many ask; whoever goes away does not break it off for the others.
        task = self._compiling.get(version_id)
        if task is None:
            task = self._compiling[version_id] = asyncio.create_task(self._load_version(row))
            task.add_done_callback(lambda done: self._forget(version_id, done))
        return await asyncio.shield(task)

    def _forget(self, version_id: UUID, task: asyncio.Task[_Version]) -> None:
        self._compiling.pop(version_id, None)
        if not task.cancelled():
            # Whoever waited has the exception; asking for it keeps asyncio from reporting it again.
            task.exception()

    async def _load_version(self, row: RunRow) -> _Version:
        async with self._isolation.read(row.workspace_id) as reader:
            raw = await load_definition(reader, row.version_id)
        known = await asyncio.to_thread(_compile, raw)
        if len(self._versions) >= _CACHED_VERSIONS:
            self._versions.pop(next(iter(self._versions)))
        self._versions[row.version_id] = known
        return known


async def read_large_value(reader: asyncpg.Connection, run_id: UUID, ref: str) -> bytes:
    """The JSON of a large value of the run: a payload, the event whose seq it is, or a field that this one names.

    Raises NotFound.
    """
    data: bytes | None = None
    if inline := _INLINE.fullmatch(ref):
        data = await _read_inline(reader, run_id, int(inline["seq"]), inline["field"])
    elif _PAYLOAD_ID.fullmatch(ref):
        data = await read_payload(reader, run_id, ref)
    if data is None:
        raise NotFound
    return data


async def _read_inline(reader: asyncpg.Connection, run_id: UUID, seq: int, field: str | None) -> bytes | None:
    if not 0 < seq <= _LARGEST_SEQ:
        return None
    for entry in await read_journal(reader, run_id, after=seq - 1, limit=1):
        event = decode_event(entry["payload"])
        if entry["seq"] != seq:
            return None
        if field is not None:
            is_given = isinstance(event, RunQueued | RunStarted) and hasattr(event, field)
            return msgspec.json.encode(getattr(event, field)) if is_given else None
        if isinstance(event, StepSucceeded | RunSucceeded) and event.output_ref is None:
            return msgspec.json.encode(event.output)
        if isinstance(event, RunSignalled):
            return msgspec.json.encode(event.payload)
    return None


async def _list_page(
    reader: asyncpg.Connection, run_id: UUID, iterations: Iterations, parent: str, page: range, *, only_failed: bool
) -> tuple[dict[str, list[Outcome]], dict[str, UUID]]:
    """Open the items of the page, or as many of those that failed from its first on: outcomes and open approvals."""
    events = await _decode(await read_top_level(reader, run_id))
    await asyncio.to_thread(iterations.begin, events)
    for loop, item in split_path(parent):
        rows = await read_iterations(reader, run_id, loop, [item])
        if not await asyncio.to_thread(iterations.enter, loop, item, rows):
            raise NotFound("There is no such item.")
    items: Sequence[int] = page
    if only_failed:
        failures = await read_failures(reader, run_id, parent, page.start)
        items = (await asyncio.to_thread(iterations.choose_failed, parent, failures))[: len(page)]
    rows = await read_iterations(reader, run_id, parent, items)
    levels = await asyncio.to_thread(iterations.open_page, parent, items, rows)
    within = [view.path for level in levels for view in level.views if view.items is not None]
    outcomes = await read_outcomes(reader, run_id, [parent, *within]) if levels else {}
    return outcomes, await _find_approvals(reader, run_id, levels)


async def _find_approvals(reader: asyncpg.Connection, run_id: UUID, levels: Sequence[Level]) -> dict[str, UUID]:
    waiting = [
        view.path
        for level in levels
        for view in level.views
        if view.waiting is not None and view.waiting.reason == "approval"
    ]
    return await find_approvals(reader, run_id, waiting) if waiting else {}


def _starts_runs_in_loops(graph: Graph, *, is_within: bool = False) -> bool:
    """Whether a step within a `foreach` runs a workflow."""
    return any(
        (is_within and node.type == "workflow")
        or (node.body is not None and _starts_runs_in_loops(node.body.graph, is_within=True))
        for node in graph.nodes
    )


def split_path(path: str) -> list[tuple[str, int]]:
    """The iterations that a step's path lies in, the outermost first: each as its `foreach` and its item.

    Raises InvalidRequest for a path whose items are no numbers.
    """
    found = []
    parts = path.split(".")
    for depth in range(1, len(parts)):
        loop, _, item = ".".join(parts[:depth]).removesuffix("]").rpartition("[")
        if not (loop and item.isascii() and item.isdigit() and len(item) <= 6):  # noqa: PLR2004 - items are at most 100,000
            problem = Problem("/query/parent", "unknown_step", "there is no `foreach` of this path")
            raise InvalidRequest(errors=[problem])
        found.append((loop, int(item)))
    return found


def _compile(raw: bytes) -> _Version:
    return msgspec.json.decode(raw, type=Definition), compile_definition(raw)


async def _decode(history: TopLevel) -> Events:
    if not history.rows:
        raise NotFound
    return await asyncio.to_thread(lambda: [(seq, decode_event(payload)) for seq, payload in history.rows])
