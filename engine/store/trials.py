"""The SQL of trying out: drafts kept as versions that only tests run, and whether a test is over."""

from hashlib import sha256
from uuid import UUID

import asyncpg
from msgspec import Struct

# Touched where it is there already, so that a clean-up by age spares what is being tested.
_KEEP_DRAFT = """
INSERT INTO workflow_version (id, workspace_id, workflow_id, version, definition, published_by)
VALUES ($1, $2, $3, 0, $4, $5)
ON CONFLICT (id) DO UPDATE SET created_at = now()
"""

_DRAFT = """
SELECT name AS workflow_name, definition FROM workflow WHERE id = $1 AND workspace_id = $2 AND deleted_at IS NULL
"""

_STATUS = """
SELECT run.status, waiting.payload AS waiting
FROM run
LEFT JOIN LATERAL (
    SELECT payload FROM journal
    WHERE journal.run_id = run.id AND journal.kind = 'run.waiting' AND run.status = 'waiting'
    ORDER BY seq DESC LIMIT 1
) AS waiting ON true
WHERE run.id = $1
"""


class Draft(Struct, frozen=True, kw_only=True):
    """The draft of a workflow, faults and all."""

    workflow_name: str
    definition: bytes


class TrialStatus(Struct, frozen=True, kw_only=True):
    """How a test stands; `waiting` is the JSON of its latest `run.waiting` while it waits."""

    status: str
    waiting: bytes | None


async def find_draft(
    connection: asyncpg.Connection | asyncpg.Pool, workflow_id: UUID, workspace_id: UUID
) -> Draft | None:
    """The workflow's draft; None without such a workflow."""
    row = await connection.fetchrow(_DRAFT, workflow_id, workspace_id)
    return None if row is None else Draft(**row)


async def keep_draft(
    connection: asyncpg.Connection, *, workspace_id: UUID, workflow_id: UUID, definition: bytes, user_id: UUID
) -> UUID:
    """The id of a version 0 with this definition: the same for the same bytes, so that tests repeat no row."""
    version_id = _name_draft(workflow_id, definition)
    await connection.execute(_KEEP_DRAFT, version_id, workspace_id, workflow_id, definition, user_id)
    return version_id


async def read_trial_status(connection: asyncpg.Connection | asyncpg.Pool, run_id: UUID) -> TrialStatus:
    """How the run stands."""
    return TrialStatus(**await connection.fetchrow(_STATUS, run_id))


def _name_draft(workflow_id: UUID, definition: bytes) -> UUID:
    """A UUID of version 8, made of the content (RFC 9562, section 5.8)."""
    number = int.from_bytes(sha256(workflow_id.bytes + definition).digest()[:16], "big")
    number = number & ~(0xF << 76) | (8 << 76)
    return UUID(int=number & ~(0x3 << 62) | (0x2 << 62))
