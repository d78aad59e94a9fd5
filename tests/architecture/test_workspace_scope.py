"""Every query of what a workspace owns names the workspace: read off the code, beside row-level security."""

import ast

import pytest

from tests.architecture.scopes import (
    CHILDREN,
    find_unscoped,
    find_unscoped_functions,
    is_scoped,
    owned_tables,
    used_by_app,
)
from tests.architecture.sources import python_files

# What names no workspace, by the reason why it need not. Each is looked for: one that has become scoped is taken out.
EXEMPT = {
    "a secret is the credential, and tells whose it is": {
        "app/api_keys/repository.py:find_api_key",
        "app/connections/repository.py:take_authorization",
        "app/members/previews.py:read_offer",
        "app/members/repository.py:find_invited",
        "app/members/repository.py:use_invitation",
        "engine/store/origins.py:find_webhook",
    },
    "sign-ins belong to users, who may be members of several workspaces": {
        "app/audit/repository.py:find_person",
        "app/auth/oidc/repository.py:find_home",
        "app/auth/repository.py:find_login",
        "app/auth/repository.py:find_reused_session",
        "app/auth/repository.py:insert_session",
        "app/auth/repository.py:list_sessions",
        "app/auth/repository.py:note_device",
        "app/auth/repository.py:revoke_other_sessions",
        "app/auth/repository.py:revoke_own_session",
        "app/auth/repository.py:revoke_session",
        "app/auth/repository.py:use_refresh_token",
        "app/workspaces/repository.py:list_workspaces",
    },
    "cleans up what has expired, of whomever": {
        "app/auth/repository.py:delete_expired_sessions",
        "app/connections/repository.py:insert_authorization",
        "app/idempotency/repository.py:delete_expired",
    },
    "the id comes from a principal that was just authenticated": {
        "app/api_keys/repository.py:note_use",
        "app/auth/queries.py:find_roles_of_keys",
        "app/auth/queries.py:find_roles_of_sessions",
        "app/audit/repository.py:find_actor",
    },
    "the ids come from a row that was found within the workspace": {
        "engine/store/control.py:retry_runs",
        "engine/store/held_pieces.py:look_again_at_workflow",
        "engine/store/reads.py:find_approvals",
        "engine/store/reads.py:list_holders",
        "engine/store/runs.py:load_definition",
        "engine/store/trials.py:read_trial_status",
    },
    "writes for many workspaces at once, each row with its own": {
        "engine/store/keeping.py:keep_events",
        "engine/store/rejections.py:record_rejections",
        "engine/store/starts.py:accept_starts",
        "engine/store/starts.py:find_accepted",
    },
    "for operators: counts over the whole installation": {"engine/store/operations.py:measure_backlog"},
}


def test_every_query_of_the_api_names_the_workspace() -> None:
    used = used_by_app("engine/store")
    found = {one for path in python_files("app") if path.name != "tables.py" for one in find_unscoped(path)}
    found |= {one for path in python_files("engine/store") for one in find_unscoped(path) if one in used}
    exempt = {one for functions in EXEMPT.values() for one in functions}
    assert found - exempt == set(), "give these a condition on workspace_id, or a reason above"
    assert exempt - found == set(), "these name a workspace now, or are gone: take them off the list"


def test_the_rule_knows_what_workspaces_own() -> None:
    assert {"run", "workflow", "workflow_trigger", "connection", "variable", "audit_entry"} <= owned_tables()
    assert not owned_tables() & CHILDREN.keys()


@pytest.mark.parametrize(
    ("statement", "scoped"),
    [
        ("SELECT * FROM workflow WHERE id = $1", False),
        ("SELECT * FROM workflow WHERE id = $1 AND workspace_id = $2", True),
        ("SELECT * FROM run JOIN workflow ON workflow.workspace_id = run.workspace_id", False),
        ("UPDATE run SET status = 'x' WHERE id = ANY ($1)", False),
        ("DELETE FROM variable WHERE name = $1", False),
        ("WITH one AS (SELECT id FROM variable WHERE workspace_id = ANY ($1)) SELECT * FROM one", True),
        ("SELECT payload FROM journal WHERE seq = $1", False),
        ("SELECT payload FROM journal WHERE run_id = $1", True),
        ("INSERT INTO variable (name, value) VALUES ($1, $2)", False),
        ("INSERT INTO variable (workspace_id, name, value) VALUES ($1, $2, $3)", True),
        ("SELECT 1 FROM user_account WHERE id = $1", True),
    ],
)
def test_statements_are_told_apart(statement: str, scoped: bool) -> None:
    assert is_scoped(statement) is scoped


_HEAD = """
from sqlalchemy import delete, insert, select, update
from app.auth.tables import membership, user_account
from app.variables.tables import variable as table

_SHOWN = (table.c.name,)
def _is_at(place):
    return table.c.workspace_id == place.workspace_id
async def query(connection, workspace_id, name, **values):
    column = table.c
    """


@pytest.mark.parametrize(
    ("query", "scoped"),
    [
        ("await connection.execute(select(table).where(table.c.name == name))", False),
        ("await connection.execute(select(table).where(table.c.workspace_id == workspace_id))", True),
        ("await connection.execute(select(*_SHOWN))", False),
        ("await connection.execute(select(*_SHOWN).where(_is_at(name)))", True),
        ("await connection.execute(select(table).where(column.workspace_id == workspace_id))", True),
        ("await connection.execute(select(table).where(table.c.workspace_id != workspace_id))", False),
        ("await connection.execute(update(table).where(table.c.name == name).values(value=b''))", False),
        ("await connection.execute(delete(table).where(table.c.name == name))", False),
        (
            "await connection.execute(select(membership).where(membership.c.workspace_id == column.workspace_id))",
            False,
        ),
        ("await connection.execute(insert(table).values(name=name))", False),
        ("await connection.execute(insert(table).values(workspace_id=workspace_id, name=name))", True),
        ("await connection.execute(insert(table).values(**values))", True),
        ("await connection.execute(select(user_account).where(user_account.c.id == name))", True),
    ],
)
def test_queries_are_told_apart(query: str, scoped: bool) -> None:
    assert find_unscoped_functions(ast.parse(_HEAD + query), {}) == ([] if scoped else ["query"])
