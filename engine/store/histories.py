"""The SQL by which people read a run's journal: what they look at of it, and not the rest.

The journal has no column for a step's path: it is read from the beginning of the event's JSON, where `step` comes
before everything of any size. All rows of the run are passed over for that, about a microsecond each, but only those
that are asked for leave the database.
"""

from uuid import UUID

import asyncpg
from msgspec import Struct

# High bytes and backslashes come out escaped, so that a character which is cut in two is no error.
_PATH = """split_part(split_part(encode(substr(payload, 1, 1000), 'escape'), '"step":"', 2), '"', 1)"""

_TOP_LEVEL = f"""
SELECT seq, payload, (SELECT max(seq) FROM journal WHERE run_id = $1) AS last_seq
FROM journal WHERE run_id = $1 AND (kind NOT LIKE 'step.%' OR strpos({_PATH}, '[') = 0)
ORDER BY seq
"""  # noqa: S608 - the path is a constant of this module


class TopLevel(Struct, frozen=True, kw_only=True):
    """A run's own events and those of its top-level steps, (seq, JSON) in order; `last_seq` counts all of them."""

    rows: list[tuple[int, bytes]]
    last_seq: int


async def read_top_level(reader: asyncpg.Connection | asyncpg.Pool, run_id: UUID) -> TopLevel:
    """The run's journal without what happened in iterations."""
    rows = await reader.fetch(_TOP_LEVEL, run_id)
    return TopLevel(rows=[(row["seq"], row["payload"]) for row in rows], last_seq=rows[0]["last_seq"] if rows else 0)
