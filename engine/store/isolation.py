"""The SQL of the second net: a bound transaction sees and changes the rows of one workspace, whatever it asks for.

It assumes a role of the database's own that owns nothing, for which row-level security holds (`cli/isolation.py` makes
role and policies; docs/adr/0016 tells why so). Both the role and the workspace end with the transaction.
"""

from typing import Final

# Of each database its own: who may assume the one of a database can read nothing of another on the same server.
ROLE_PREFIX: Final = "flowforge_workspace_"
WORKSPACE: Final = "flowforge.workspace"

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
