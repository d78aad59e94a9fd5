"""Make the second net: policies on every table that a workspace owns rows of, and the role for which they hold.

Policies are derived from the catalogue, not written down in revisions: a table that a later revision makes has one as
soon as it is migrated. They name no role, so that a backup is restored where there is none. Whatever is there already
is left alone; what is missing is made table by table, each in a moment's lock.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from engine.store.isolation import IS_READY, NAME_OF_ROLE, ROLE_PREFIX, RUN, WORKSPACE

# With another wording it gets another number, and takes the place of those before.
POLICY: Final = "own_workspace_2"
_NOT_ALLOWED: Final = "42501"

_BOUND_TO: Final = f"nullif(current_setting('{WORKSPACE}', true), '')::uuid"
# Whoever has assumed no such role is not held back, be they the tables' owner or not. Asked once a statement.
_IS_FREE: Final = f"(SELECT current_user NOT LIKE '{ROLE_PREFIX.replace('_', chr(92) + '_')}%')"
_IS_OWN: Final = f"{{column}} = (SELECT {_BOUND_TO})"

# What belongs to a row of an owned table: its columns, each with the table that it leads to. A bound transaction sees
# what it sees one parent of. It may add to what it does not see only if that is nobody else's: a run and its history
# are made in one statement, and what is asked for a trigger outlives it.
CHILDREN: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "journal": (("run_id", "run"),),
    "payload": (("run_id", "run"),),
    "inbox": (("run_id", "run"),),
    "schedule": (("trigger_id", "workflow_trigger"),),
    "filtered_payload": (("trigger_id", "workflow_trigger"),),
    # Also where its trigger is gone: it counts as pending until its receipt says otherwise.
    "held_event": (("trigger_id", "workflow_trigger"), ("event_id", "inbound_event")),
    "held_review": (("trigger_id", "workflow_trigger"),),
    "held_remainder": (("trigger_id", "workflow_trigger"),),
    "dedup_key": (("scope", "workflow_trigger"), ("scope", "run")),
}
# What may be a whole history: a transaction that has opened a run reads it without asking for each row whose it is.
_HISTORIES: Final = ("run_id", "run")
_OPENED: Final = f"(SELECT nullif(current_setting('{RUN}', true), '')::uuid)"
# What is nobody's, and what bound transactions need of it: nothing of all others.
SHARED: Final[Mapping[str, str]] = {
    "user_account": "SELECT (id, email, name, is_active, created_at, updated_at)",
    # When a sign-in was last used, and nothing that anybody could sign in with.
    "refresh_token": "SELECT (session_id, created_at)",
    "listener_revision": "SELECT, INSERT, UPDATE",
    "worker": "SELECT (id, alive)",
}
_EVERYTHING: Final = "SELECT, INSERT, UPDATE, DELETE"
# Less than everything.
_GRANTED: Final[Mapping[str, str]] = {
    "audit_entry": "SELECT, INSERT",
    "audit_head": "SELECT, INSERT, UPDATE",
    "workspace": "SELECT, UPDATE",
}

# As the owner, who sees all rows.
_ELSEWHERE = f"""
CREATE OR REPLACE FUNCTION {{name}} (asked uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
RETURN EXISTS (SELECT FROM {{parent}} WHERE id = asked AND workspace_id IS DISTINCT FROM {_BOUND_TO})
"""  # noqa: S608 - put together of constants of this module
_TABLES = """
SELECT relname, relrowsecurity AND EXISTS (
           SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = :policy) AS is_guarded,
       EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'workspace_id') AS is_owned,
       coalesce(has_any_column_privilege(to_regrole(:role)::oid, pg_class.oid, 'SELECT'), false) AS is_granted
FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname
"""
_OLD_POLICIES = """
SELECT polname FROM pg_policy WHERE polrelid = CAST(:name AS regclass) AND polname LIKE 'own\\_workspace\\_%'
"""


class _Table(Struct, frozen=True, kw_only=True):
    relname: str
    is_guarded: bool
    is_owned: bool
    is_granted: bool

    @property
    def guard(self) -> tuple[str, str] | None:
        """What a bound transaction sees of it, and what it may write; None where it is nobody's."""
        if self.relname in CHILDREN:
            ways = [(f"{self.relname}.{column}", parent) for column, parent in CHILDREN[self.relname]]
            seen = [f"{key} = {_OPENED}" for key, _ in ways if CHILDREN[self.relname] == (_HISTORIES,)]
            # No EXISTS: the planner would gather the ids of all runs of the workspace, to look one of them up.
            seen += [f"(SELECT true FROM {parent} WHERE {parent}.id = {key})" for key, parent in ways]  # noqa: S608 - names of this module
            return " OR ".join(seen), " AND ".join(f"NOT {_elsewhere(parent)}({key})" for key, parent in ways)
        if self.is_owned or self.relname == "workspace":
            own = _IS_OWN.format(column="workspace_id" if self.is_owned else "id")
            return own, own
        return None

    @property
    def rights(self) -> str:
        """What is granted on it."""
        if self.guard is None:
            return SHARED.get(self.relname, "")
        return _GRANTED.get(self.relname, _EVERYTHING)


def weave(connection: Connection) -> str:
    """Make what is missing; why the net cannot be made, empty where it is whole.

    Raises DBAPIError where a table is held by others: it is to be done again then.
    """
    role = str(connection.scalar(text(NAME_OF_ROLE)))
    try:
        _guard_tables(connection, role)
        _make_role(connection, role)
    except DBAPIError as error:
        connection.rollback()
        if getattr(error.orig, "sqlstate", None) != _NOT_ALLOWED:
            raise
        return explain(role, str(error.orig).partition(": ")[2])
    is_ready = bool(connection.scalar(text(IS_READY)))
    connection.commit()
    return "" if is_ready else explain(role, "it may not be assumed")


def explain(role: str, reason: str) -> str:
    """What to do where the role is not to be had."""
    return (
        f"Row-level security is off: the role {role} cannot be used ({reason}). Every query still names its workspace. "
        f"For the second net, let a superuser run: CREATE ROLE {role} NOLOGIN; "
        f"GRANT {role} TO the user of FLOWFORGE_DATABASE_URL WITH ADMIN TRUE, INHERIT FALSE, SET TRUE; "
        "then `./flowforge migrate`."
    )


def _guard_tables(connection: Connection, role: str) -> None:
    missing = [table for table in _tables(connection, role) if table.guard is not None and not table.is_guarded]
    connection.commit()
    if any(table.relname in CHILDREN for table in missing):
        for parent in sorted({parent for ways in CHILDREN.values() for _, parent in ways}):
            connection.exec_driver_sql(_ELSEWHERE.format(name=_elsewhere(parent), parent=parent))
        connection.commit()
    for table in missing:
        for statement in _guard(connection, table):
            connection.exec_driver_sql(statement)
        # Each in a transaction of its own: two locks at once could meet those of a statement in between.
        connection.commit()


def _guard(connection: Connection, table: _Table) -> Iterator[str]:
    name = table.relname
    seen, written = table.guard or ("", "")
    for old in connection.scalars(text(_OLD_POLICIES), {"name": name}).all():
        yield f"DROP POLICY {old} ON {name}"
    yield (f"CREATE POLICY {POLICY} ON {name} USING ({_IS_FREE} OR {seen}) WITH CHECK ({_IS_FREE} OR ({written}))")
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"


def _make_role(connection: Connection, role: str) -> None:
    """The role with its rights, and for this user the right to assume it: all at once, or nothing."""
    if connection.scalar(text("SELECT to_regrole(:role) IS NULL"), {"role": role}):
        connection.exec_driver_sql(f"CREATE ROLE {role} NOLOGIN NOINHERIT")
        schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for table in _tables(connection, role):
        if table.rights and not table.is_granted:
            connection.exec_driver_sql(f"GRANT {table.rights} ON {table.relname} TO {role}")
    if not connection.scalar(text("SELECT pg_has_role(to_regrole(:role)::oid, 'SET')"), {"role": role}):
        # Not inherited: a user who merely may assume the role is not held to its policies.
        connection.exec_driver_sql(f"GRANT {role} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
    connection.commit()


def _tables(connection: Connection, role: str) -> list[_Table]:
    given: dict[str, Any] = {"policy": POLICY, "role": role}
    return [_Table(**row) for row in connection.execute(text(_TABLES), given).mappings()]


def _elsewhere(parent: str) -> str:
    return f"{parent}_is_of_another_workspace"
