"""The steps by which the revisions 0007 to 0013 put tables into partitions by time. They change no more, as those.

A table is re-hung without reading or moving a row under a lock: first its default partition promises to hold only what
lies before a moment to come, then that is checked while everybody writes, then it becomes the first of the partitions.
Each step on each table is a transaction of its own: two locks at once could meet those of a statement in between.
"""

import re
import time
from uuid import UUID

from alembic import op
from sqlalchemy import text

DAY_MS = 86_400_000
# Should the migration stop half-way, ids keep to the promise for so long.
DAYS_BEFORE_THE_BOUND = 7
# As many as last until a worker makes more, even if none runs for two weeks.
DAYS, AHEAD = 5, 3
STORAGE = {"run": " WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000)"}


def add_bound(table: str, key: str) -> None:
    """Let the default partition promise to hold ids from before the bound only; what is there is not looked at."""
    bound = _choose_bound(table, key) if table == "run" else _read_bound("run")
    op.execute(f"ALTER TABLE {table}_default ADD CONSTRAINT {table}_first_bound CHECK ({key} < '{bound}') NOT VALID")


def drop_bound(table: str) -> None:
    """Take the promise back."""
    op.execute(f"ALTER TABLE {table}_default DROP CONSTRAINT {table}_first_bound")


def make_partitions(table: str) -> None:
    """Make the default partition the first one, and others for the time to come."""
    # The runs' own, whatever the others promised: partitions of all three are dropped together.
    bound = _read_bound("run") if table == "run" else _read_first_bound()
    op.execute(f"ALTER TABLE {table} DETACH PARTITION {table}_default")
    _rename(f"{table}_default", f"{table}_first")
    op.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_first FOR VALUES FROM (MINVALUE) TO ('{bound}')")
    op.execute(f"ALTER TABLE {table}_first DROP CONSTRAINT {table}_first_bound")
    _create(table, "default", "DEFAULT")
    for number in range(AHEAD):
        lower = (bound.int >> 80) + number * DAYS * DAY_MS
        first, beyond = (UUID(int=moment << 80) for moment in (lower, lower + DAYS * DAY_MS))
        _create(table, _name_of(lower), f"FOR VALUES FROM ('{first}') TO ('{beyond}')")


def undo_partitions(table: str, key: str) -> None:
    """Put everything back into one default partition: the rows of the others are moved."""
    partitions = (
        op.get_bind()
        .scalars(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:table AS regclass)"),
            {"table": table},
        )
        .all()
    )
    for partition in partitions:
        op.execute(f"ALTER TABLE {table} DETACH PARTITION {partition}")
    _rename(f"{table}_default", f"{table}_rest")
    if f"{table}_first" in partitions:
        _rename(f"{table}_first", f"{table}_default")
        op.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_default DEFAULT")
    else:
        _create(table, "default", "DEFAULT")
    for partition in sorted({*partitions, f"{table}_rest"} - {f"{table}_default", f"{table}_first"}):
        op.execute(f"INSERT INTO {table}_default SELECT * FROM {partition}")  # noqa: S608 - names from the catalogue
        op.execute(f"DROP TABLE {partition}")
    bound = _choose_bound(table, key)
    op.execute(f"ALTER TABLE {table}_default ADD CONSTRAINT {table}_first_bound CHECK ({key} < '{bound}') NOT VALID")


def _choose_bound(table: str, key: str) -> UUID:
    """The first id of a midnight (UTC) that is a week away, and after every run that is there."""
    query = f"SELECT {key} FROM {table}_default ORDER BY {key} DESC LIMIT 1"  # noqa: S608 - names of this module
    last = op.get_bind().scalar(text(query))
    newest = max(int(time.time() * 1000), 0 if last is None else UUID(str(last)).int >> 80)
    return UUID(int=min((newest // DAY_MS + 1 + DAYS_BEFORE_THE_BOUND) * DAY_MS, (1 << 48) - 1) << 80)


def _read_bound(table: str) -> UUID:
    definition = op.get_bind().scalar(
        text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"),
        {"name": f"{table}_first_bound"},
    )
    return _find_id(str(definition))


def _read_first_bound() -> UUID:
    query = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = to_regclass('run_first')"
    return _find_id(str(op.get_bind().scalar(text(query))))


def _find_id(expression: str) -> UUID:
    match = re.search(r"'([0-9a-f-]{36})'", expression)
    if match is None:
        raise RuntimeError(f"there is no bound in {expression!r}")
    return UUID(match[1])


def _name_of(milliseconds: int) -> str:
    return time.strftime("%Y%m%d", time.gmtime(milliseconds // 1000))


def _create(table: str, name: str, bounds: str) -> None:
    op.execute(f"CREATE TABLE {table}_{name} PARTITION OF {table} {bounds}{STORAGE.get(table, '')}")
    if table == "run":
        op.execute(f"CREATE INDEX run_{name}_finished_at_idx ON run_{name} USING brin (finished_at)")


def _rename(old: str, new: str) -> None:
    """Rename a table and its indexes, so that their names are free."""
    op.execute(f"ALTER TABLE {old} RENAME TO {new}")
    query = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = CAST(:table AS regclass)"
    for index in op.get_bind().scalars(text(query), {"table": new}).all():
        op.execute(f"ALTER INDEX {index} RENAME TO {str(index).replace(old, new)}")
