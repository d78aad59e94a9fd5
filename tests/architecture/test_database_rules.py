"""Who ends a transaction, and where SQL may stand."""

import ast
import re

from tests.architecture.sources import ROOT, at, calls, python_files, tree

# A file of these names is a home of SQL: one function a query.
HOMES_OF_SQL = {"repository.py", "queries.py", "tables.py"}
# Others, each with its reason.
OTHER_HOMES = {
    "app/auth/signing_keys.py": "a key ring of three statements that no other module may see",
    "app/dependencies.py": "opens a request's transaction, which SQLAlchemy does with the first statement",
    "app/health/controllers.py": "asks the server how it is, no table of ours",
}
STATEMENT = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|LOCK TABLE|TRUNCATE)\s", re.ASCII)


def test_nobody_commits_but_the_unit_of_work() -> None:
    # `async with engine.begin()` is the unit of work: a commit() elsewhere would cut one in two.
    commits = [
        at(path, call)
        for path in python_files("app", "engine")
        for call in calls(path)
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"commit", "rollback"}
    ]
    assert commits == []


def test_sql_stands_in_repositories_and_queries_only() -> None:
    found = [
        at(path, node)
        for path in python_files("app")
        if path.name not in HOMES_OF_SQL and str(path.relative_to(ROOT)) not in OTHER_HOMES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value)
    ]
    assert found == []


def test_text_statements_are_imported_in_homes_of_sql_only() -> None:
    found = [
        at(path, node)
        for path in python_files("app")
        if path.name not in HOMES_OF_SQL and str(path.relative_to(ROOT)) not in OTHER_HOMES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("sqlalchemy")
        and "text" in {alias.name for alias in node.names}
    ]
    assert found == []


def test_alembic_stays_importable() -> None:
    # With an __init__.py our folder would hide the package of the same name.
    assert not (ROOT / "alembic" / "__init__.py").exists()
