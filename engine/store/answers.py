"""The SQL by which a waiting caller finds what a run answers: a `respond` step's success, or the run's end."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import asyncpg

from engine.store.histories import STEP_PATH

_PAGE = 1000

_CANDIDATES = f"""
SELECT seq, {STEP_PATH} AS path FROM journal
WHERE run_id = $1 AND seq > $2 AND kind = 'step.succeeded' ORDER BY seq LIMIT {_PAGE}
"""  # noqa: S608 - the path is a constant of another module

_ENDED = "SELECT seq FROM journal WHERE run_id = $1 AND kind = ANY ($2) ORDER BY seq LIMIT 1"

_EVENT = "SELECT payload FROM journal WHERE run_id = $1 AND seq = $2"

RUN_ENDS = ("run.succeeded", "run.failed", "run.cancelled", "run.timed_out")


class Found(NamedTuple):
    """Up to which seq a journal was looked through, and the seq of the event that answers, if there is one."""

    looked_to: int
    seq: int | None


async def find_answer(pool: asyncpg.Pool, run_id: UUID, responding: Iterable[str], *, after: int) -> Found:
    """The first event after that seq by which one of these steps answered, else the run's end.

    Steps are told by their ids, in whatever iteration they are.
    """
    # First, so that an answer which comes while this looks is not taken for none.
    end: int | None = await pool.fetchval(_ENDED, run_id, list(RUN_ENDS))
    ids = frozenset(responding)
    looked_to = after
    while ids:
        rows = await pool.fetch(_CANDIDATES, run_id, looked_to)
        for row in rows:
            looked_to = row["seq"]
            if row["path"].rpartition(".")[2] in ids:
                return Found(looked_to, looked_to)
        if len(rows) < _PAGE:
            break
    return Found(looked_to, end)


async def read_event(pool: asyncpg.Pool, run_id: UUID, seq: int) -> bytes | None:
    """The JSON of one event of a run."""
    payload: bytes | None = await pool.fetchval(_EVENT, run_id, seq)
    return payload
