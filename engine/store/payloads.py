"""The SQL of payloads: outputs that are too large for the journal, one row each, loaded when somebody asks."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

_READ = "SELECT data FROM payload WHERE run_id = $1 AND id = $2"

_READ_MANY = "SELECT id, data FROM payload WHERE run_id = $1 AND id = ANY ($2)"


async def read_payload(connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID, ref: str) -> bytes | None:
    """The JSON of an output of the run; None where it has no such payload."""
    data: bytes | None = await connection.fetchval(_READ, run_id, UUID(ref))
    return data


async def read_payloads(
    connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID, refs: Sequence[str]
) -> dict[str, bytes]:
    """The JSON of several outputs of the run, by their references."""
    rows = await connection.fetch(_READ_MANY, run_id, [UUID(ref) for ref in refs])
    return {str(row["id"]): row["data"] for row in rows}
