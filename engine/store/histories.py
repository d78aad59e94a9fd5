"""The SQL by which people read a run's journal: what they look at of it, and not the rest.

The journal has no column for a step's path: it is read from the beginning of the event's JSON, where `step` comes
before everything of any size. All rows of the run are passed over for that, one to two microseconds each, but only
those that are asked for leave the database.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from engine.core.accounting import Timing

# More events of iterations than these are not timed one by one: the answer would take over half a second.
MOST_TIMED = 20_000

# High bytes and backslashes come out escaped, so that a character which is cut in two is no error.
STEP_PATH = """split_part(split_part(encode(substr(payload, 1, 1000), 'escape'), '"step":"', 2), '"', 1)"""

# Signals are told by the steps that took them; what they carried may be large.
_TOP_LEVEL = f"""
SELECT seq, payload, (SELECT max(seq) FROM journal WHERE run_id = $1) AS last_seq
FROM journal
WHERE run_id = $1 AND kind <> 'run.signalled' AND (kind NOT LIKE 'step.%' OR strpos({STEP_PATH}, '[') = 0)
ORDER BY seq
"""  # noqa: S608 - the path is a constant of this module

# The events that tell what became of a `foreach` in an iteration: those of its own steps, and of it.
_ITERATIONS = f"""
SELECT seq, payload, item FROM (
    SELECT seq, payload, path,
        CASE WHEN starts_with(path, $2 || '[') THEN split_part(substr(path, length($2) + 2), ']', 1)::int END AS item,
        substr(path, length($2) + 2) AS rest
    FROM (SELECT seq, payload, {STEP_PATH} AS path FROM journal WHERE run_id = $1 AND kind LIKE 'step.%') AS told
) AS placed
WHERE path = $2 OR (item = ANY ($3::int[]) AND strpos(rest, '[') = 0)
ORDER BY seq
"""  # noqa: S608 - the path is a constant of this module

# Of each step of each iteration the latest event counts. `-` marks what came before the `foreach` last began: it runs
# its broken iterations again.
_KINDS = (
    "ARRAY['step.started', 'step.waiting', 'step.retrying', 'step.succeeded', 'step.failed', 'step.skipped', "
    "'step.cancelled']"
)
_ENDS = f"""
WITH told AS MATERIALIZED (
    SELECT seq, kind, path, strpos(reverse(path), '[') AS back
    FROM (SELECT seq, kind, {STEP_PATH} AS path FROM journal WHERE run_id = $1 AND kind LIKE 'step.%') AS event
), latest AS (
    SELECT left(path, -back) AS loop, right(path, back - 1) AS place,
        max(seq::bigint * 16 + array_position({_KINDS}, kind)) AS latest
    FROM told WHERE back > 0 AND left(path, -back) = ANY ($2::text[]) GROUP BY 1, 2
), begun AS (
    SELECT path, max(seq) AS seq FROM told WHERE kind = 'step.started' AND path = ANY ($2::text[]) GROUP BY path
), iterations AS (
    SELECT loop, split_part(place, ']', 1) AS item, string_agg(
        split_part(place, '].', 2) || '=' || substr(({_KINDS})[latest % 16], 6)
            || CASE WHEN latest / 16 < begun.seq THEN '-' ELSE '' END, ',' ORDER BY place) AS outcome
    FROM latest JOIN begun ON begun.path = latest.loop
    GROUP BY loop, split_part(place, ']', 1)
)
"""  # noqa: S608 - the parts are constants of this module
# Of all iterations alike one row is given.
_OUTCOMES = f"""{_ENDS}
SELECT loop, outcome, count(*) AS iterations FROM iterations GROUP BY loop, outcome
"""  # noqa: S608 - put together of constants of this module
_FAILURES = f"""{_ENDS}
SELECT item::int AS item, outcome FROM iterations WHERE outcome LIKE '%=failed%' AND item::int >= $3 ORDER BY 1
"""  # noqa: S608 - put together of constants of this module

# The times stand behind the output, at the end of a long event; before the beginning of an output that lies apart.
_TIMINGS = f"""
SELECT kind, at, path,
    CASE WHEN octet_length(payload) <= 1300 THEN payload
        ELSE substr(payload, 1, 1000) || substr(payload, octet_length(payload) - 299) END AS times
FROM (
    SELECT seq, kind, at, payload, {STEP_PATH} AS path FROM journal WHERE run_id = $1 AND kind LIKE 'step.%'
) AS event
WHERE strpos(path, '[') > 0
ORDER BY seq LIMIT $2
"""  # noqa: S608 - the path is a constant of this module

# The last of each is the event's own: texts within it have their quotes escaped, and outputs stand before.
_STARTED_AT = re.compile(rb'"started_at":(?:null|"([^"]+)")')
_RETRY_AT = re.compile(rb'"retry_at":(?:null|"([^"]+)")')
_QUEUED_MS = re.compile(rb'"queued_ms":(\d+)(?:,"limited_ms":(\d+))?')
_HAS_ITEMS = re.compile(rb'"items":\d')


# An event that names a child names it at its end, after texts in which quotes are escaped.
_CHILDREN = f"""
SELECT seq, payload FROM (
    SELECT seq, payload, {STEP_PATH} AS path FROM journal WHERE run_id = $1 AND kind = 'step.waiting'
) AS event
WHERE strpos(path, '[') > 0 AND position(convert_to('"reason":"child"', 'UTF8') IN payload) > 0
ORDER BY seq LIMIT $2
"""  # noqa: S608 - the path is a constant of this module


class TopLevel(Struct, frozen=True, kw_only=True):
    """A run's own events but signals, and those of its top-level steps, (seq, JSON) in order; `last_seq` is of all."""

    rows: list[tuple[int, bytes]]
    last_seq: int


class Outcome(Struct, frozen=True, kw_only=True):
    """How many iterations of a `foreach` stand alike: by step id the kind of its latest event, without `step.`.

    `past` are the steps whose latest event came before the `foreach` last began.
    """

    steps: dict[str, str]
    past: frozenset[str]
    iterations: int


async def read_top_level(reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID) -> TopLevel:
    """The run's journal without signals and what happened in iterations."""
    rows = await reader.fetch(_TOP_LEVEL, run_id)
    return TopLevel(rows=[(row["seq"], row["payload"]) for row in rows], last_seq=rows[0]["last_seq"] if rows else 0)


async def read_children(reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID, limit: int) -> list[tuple[int, bytes]]:
    """The first events, (seq, JSON) in order, by which steps of iterations began to wait for runs of their own."""
    return [(row["seq"], row["payload"]) for row in await reader.fetch(_CHILDREN, run_id, limit)]


async def read_iterations(
    reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID, loop: str, items: Sequence[int]
) -> list[tuple[int, bytes, int | None]]:
    """The events, (seq, JSON, item) in order, of these items of the `foreach` of a path.

    Its own have no item; what happened in a `foreach` further within is left out.
    """
    rows = await reader.fetch(_ITERATIONS, run_id, loop, list(items))
    return [(row["seq"], row["payload"], row["item"]) for row in rows]


async def read_outcomes(
    reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID, loops: Sequence[str]
) -> dict[str, list[Outcome]]:
    """How the begun iterations of each `foreach`, by its path, stand."""
    outcomes: dict[str, list[Outcome]] = {loop: [] for loop in loops}
    if not loops:
        return outcomes
    for row in await reader.fetch(_OUTCOMES, run_id, list(loops)):
        outcomes[row["loop"]].append(_read_outcome(row["outcome"], row["iterations"]))
    return outcomes


async def read_failures(
    reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID, loop: str, first: int
) -> list[tuple[int, Outcome]]:
    """The items of the `foreach` of a path in which a step failed, in order from `first` on, and how each stands."""
    rows = await reader.fetch(_FAILURES, run_id, [loop], first)
    return [(row["item"], _read_outcome(row["outcome"], 1)) for row in rows]


def _read_outcome(told: str, iterations: int) -> Outcome:
    ends = dict(entry.split("=") for entry in told.split(","))
    return Outcome(
        steps={step: end.removesuffix("-") for step, end in ends.items()},
        past=frozenset(step for step, end in ends.items() if end.endswith("-")),
        iterations=iterations,
    )


async def read_timings(reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID) -> list[Timing]:
    """When what of the iterations' steps happened, in order; of a run with over 20,000 such events, nothing."""
    rows = await reader.fetch(_TIMINGS, run_id, MOST_TIMED + 1)
    return [] if len(rows) > MOST_TIMED else [_read_timing(row) for row in rows]


def _read_timing(row: asyncpg.Record) -> Timing:
    times = row["times"]
    queued_ms, limited_ms = (_QUEUED_MS.findall(times) or [(b"0", b"")])[-1]
    return Timing(
        kind=row["kind"],
        step=row["path"],
        at=row["at"],
        started_at=_last_time(_STARTED_AT, times),
        queued_ms=int(queued_ms),
        limited_ms=int(limited_ms or 0),
        retry_at=_last_time(_RETRY_AT, times) if row["kind"] == "step.retrying" else None,
        has_items=row["kind"] == "step.started" and _HAS_ITEMS.search(times) is not None,
    )


def _last_time(pattern: re.Pattern[bytes], times: bytes) -> datetime | None:
    found = pattern.findall(times)
    return msgspec.convert(found[-1].decode(), datetime) if found and found[-1] else None
