"""The SQL of the second net: a bound transaction sees and changes the rows of one workspace, whatever it asks for.

It assumes a role of the database's own that owns nothing, for which row-level security holds (`cli/isolation.py` makes
role and policies; docs/adr/0016 tells why so). Both the role and the workspace end with the transaction.
"""

from typing import Final
from uuid import UUID

import asyncpg

# Of each database its own: who may assume the one of a database can read nothing of another on the same server.
ROLE_PREFIX: Final = "flowforge_workspace_"
WORKSPACE: Final = "flowforge.workspace"
# The run that a reading transaction has opened, once it was found to be of the workspace: the policies of its history
# then need not look at it again for each row.
RUN: Final = "flowforge.run"

NAME_OF_ROLE: Final = f"""
SELECT '{ROLE_PREFIX}' || oid AS name FROM pg_database WHERE datname = current_database()
"""  # noqa: S608 - a constant of this module

# One statement, which fails in no database: where the role is not there or may not be assumed, no row comes back.
BIND: Final = f"""
SELECT set_config('role', name, true), set_config('{WORKSPACE}', :workspace, true)
FROM ({NAME_OF_ROLE}) AS bound WHERE pg_has_role(to_regrole(name)::oid, 'SET')
"""  # noqa: S608 - constants of this module

IS_READY: Final = f"""
SELECT pg_has_role(to_regrole(name)::oid, 'SET') IS TRUE FROM ({NAME_OF_ROLE}) AS bound
"""  # noqa: S608 - constants of this module

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


async def begin_reading(connection: asyncpg.Connection, workspace_id: UUID | None) -> bool:
    """Begin a transaction that sees one moment and changes nothing, and bind it; whether it is bound. One round trip.

    It is not where there is no role for it, and with None for a workspace.
    """
    if workspace_id is None:
        await connection.execute(_BEGIN)
        return False
    # Several statements at once take no parameters. What a UUID is written as cannot end a text.
    bind = BIND.replace(":workspace", f"'{UUID(int=workspace_id.int)}'")
    told = await connection.execute(f"{_BEGIN}; {bind}")
    return bool(told == "SELECT 1")


async def end_reading(connection: asyncpg.Connection) -> None:
    """End what `begin_reading` began; role and workspace go with it."""
    await connection.execute("COMMIT")
