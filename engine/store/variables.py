"""The SQL of variables, as workers read them."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

_READ = "SELECT workspace_id, name, value FROM variable WHERE workspace_id = ANY ($1::uuid[])"


async def read_variables(pool: asyncpg.Pool, workspace_ids: Sequence[UUID]) -> dict[UUID, dict[str, bytes]]:
    """The variables of these workspaces, by name, each as JSON."""
    variables: dict[UUID, dict[str, bytes]] = {workspace_id: {} for workspace_id in workspace_ids}
    for row in await pool.fetch(_READ, list(workspace_ids)):
        variables[row["workspace_id"]][row["name"]] = row["value"]
    return variables
