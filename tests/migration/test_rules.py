"""Expand and contract: what a revision may not do, because code of the release before still runs on the database."""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

VERSIONS = sorted((ROOT / "alembic" / "versions").glob("[0-9]*.py"))
# The first revision that was made for databases in use.
FIRST = "0005"
CONTRACTS = {
    "a column goes": r"DROP COLUMN",
    "a table goes": r"DROP TABLE",
    "a column is renamed": r"RENAME COLUMN",
    "a type changes": r"ALTER COLUMN \w+ (SET DATA )?TYPE",
    "a column must be given": r"SET NOT NULL|ADD COLUMN (?!.*(NULL|DEFAULT))[^,\"]*NOT NULL",
    "rows are rewritten at once": r"\b(UPDATE|DELETE FROM|TRUNCATE)\b",
    "the lock of all is waited for": r"LOCK TABLE",
}
# Where one does nevertheless: the release whose code needed it, and why nothing needs it any more.
ALLOWED: dict[str, dict[str, str]] = {
    "0022_audit.py": {"rows are rewritten at once": "none is: it names what its triggers refuse"},
    "0031_audit_rights.py": {"rows are rewritten at once": "none is: it names rights that it takes away"},
}


def upgrade_of(text: str) -> str:
    """A revision's source without its way back and without comments."""
    return re.sub(r"#[^\n]*", "", text.split("def downgrade", maxsplit=1)[0])


def test_there_are_revisions_to_hold() -> None:
    assert [path.name for path in VERSIONS if path.name > FIRST]


@pytest.mark.parametrize("path", [path for path in VERSIONS if path.name > FIRST], ids=lambda path: path.stem)
def test_a_revision_only_adds(path: object) -> None:
    source = upgrade_of((ROOT / "alembic" / "versions" / str(path)).read_text())
    found = {what for what, pattern in CONTRACTS.items() if re.search(pattern, source, re.IGNORECASE)}
    assert found == set(ALLOWED.get(Path(str(path)).name, {}))


def test_the_rules_see_what_they_are_about() -> None:
    for statement in (
        "ALTER TABLE run DROP COLUMN status",
        "DROP TABLE run",
        "ALTER TABLE run RENAME COLUMN a TO b",
        "ALTER TABLE run ALTER COLUMN a TYPE bigint",
        "ALTER TABLE run ALTER COLUMN a SET NOT NULL",
        "UPDATE run SET a = 1",
        "LOCK TABLE run",
    ):
        assert any(re.search(pattern, statement) for pattern in CONTRACTS.values()), statement
