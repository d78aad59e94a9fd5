"""The SQL of partitions by time: runs, journal and payloads lie in ranges of the run's UUIDv7.

A run's partitions have one name in all three tables. Every lock is waited for so briefly that PostgreSQL looks for no
deadlock meanwhile: whoever works goes on, and the partition is made or dropped another time.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from engine.infra.ids import floor_id
from engine.store.leadership import try_lead

# `journal` and `payload` follow `run`.
TABLES = ("run", "journal", "payload")
DEFAULT = "default"

# Held by whoever reads or changes which partitions there are, a backup for as long as it takes.
PARTITION_LOCK = 0x46_46_50_54

_PATIENCE = "SET LOCAL lock_timeout = '300ms'"

# Many updates a row: dead versions are cleared away early.
_STORAGE = {
    "run": " WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000)",
    "journal": "",
    "payload": "",
}

_LIST = """
SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bounds
FROM pg_inherits JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
WHERE pg_inherits.inhparent = $1::text::regclass
"""

_BOUND = re.compile(r"(FROM|TO) \('([0-9a-f-]{36})'\)")

# Answered by the partial indexes of unfinished runs and the one of ends, without reading the partition. A message from
# a child may refer to an output that the child keeps.
_IS_OVER = """
SELECT NOT EXISTS (SELECT FROM {run} WHERE owner IS NOT NULL)
   AND NOT EXISTS (SELECT FROM {run} WHERE owner IS NULL AND wake_at IS NOT NULL)
   AND NOT EXISTS (SELECT FROM {run} WHERE owner IS NULL AND wake_at IS NULL AND status IN ('queued', 'running'))
   AND NOT EXISTS (SELECT FROM {run} WHERE finished_at >= $1)
   AND NOT EXISTS (SELECT FROM inbox WHERE kind = 'child' AND created_at < $1)
"""

_HAS_KEPT = "SELECT EXISTS (SELECT FROM {run} WHERE finished_at IS NULL OR finished_at >= $1)"

# Only rows of this time: an id of another kind may sort anywhere.
_LATEST_BEYOND = "SELECT id FROM run_default WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT 1"


class Partition(Struct, frozen=True, kw_only=True, order=True):
    """A partition of all three tables: ids from `lower` (None: from the first) to before `upper`."""

    name: str
    lower: UUID | None
    upper: UUID


async def list_partitions(connection: asyncpg.Connection, table: str = "run") -> list[Partition]:
    """The partitions of a table but the default one, the oldest first."""
    found = []
    for row in await connection.fetch(_LIST, table):
        bounds = dict(_BOUND.findall(row["bounds"]))
        if "TO" in bounds:
            lower = bounds.get("FROM")
            name = row["name"].removeprefix(f"{table}_")
            found.append(Partition(name=name, lower=UUID(lower) if lower else None, upper=UUID(bounds["TO"])))
    return sorted(found, key=lambda partition: partition.upper)


async def find_latest_beyond(connection: asyncpg.Connection, upper: UUID, moment: datetime) -> UUID | None:
    """The last run up to that moment which found no partition, and lies in the default one."""
    found: UUID | None = await connection.fetchval(_LATEST_BEYOND, upper, floor_id(moment))
    return found


async def create_partition(connection: asyncpg.Connection, table: str, partition: Partition) -> None:
    """Make a partition. Raises LockNotAvailableError where others are in the way for more than a moment."""
    name = f"{table}_{partition.name}"
    async with connection.transaction():
        await connection.execute(_PATIENCE)
        await connection.execute(
            f"CREATE TABLE {name} PARTITION OF {table} "
            f"FOR VALUES FROM ('{partition.lower}') TO ('{partition.upper}'){_STORAGE[table]}"
        )
        if table == "run":
            await connection.execute(f"CREATE INDEX {name}_finished_at_idx ON {name} USING brin (finished_at)")


async def is_over(connection: asyncpg.Connection, name: str, before: datetime) -> bool:
    """Whether every run of the partition has ended before that moment."""
    if not await connection.fetchval(_IS_OVER.format(run=f"run_{name}"), before):
        return False
    # What the indexes do not know of: read once, for then the partition is dropped.
    return not await connection.fetchval(_HAS_KEPT.format(run=f"run_{name}"), before)


async def drop_runs(connection: asyncpg.Connection, name: str, before: datetime) -> bool:
    """Drop a partition of runs that is over, looked at again under its lock: False where a run has come to life.

    Raises LockNotAvailableError where others are in the way for more than a moment.
    """
    async with connection.transaction():
        await connection.execute(_PATIENCE)
        # In the order of PostgreSQL's own statements, which lock the parent first.
        await connection.execute("LOCK TABLE ONLY run IN ACCESS EXCLUSIVE MODE")
        # The table is not to be read while everybody waits, whatever the planner expects.
        await connection.execute("SET LOCAL enable_seqscan = off")
        if not await connection.fetchval(_IS_OVER.format(run=f"run_{name}"), before):
            return False
        await connection.execute(f"DROP TABLE run_{name}")
    return True


async def drop_partition(connection: asyncpg.Connection, table: str, name: str) -> None:
    """Drop a partition of `journal` or `payload` whose runs are gone; raises LockNotAvailableError as above."""
    async with connection.transaction():
        await connection.execute(_PATIENCE)
        await connection.execute(f"DROP TABLE {table}_{name}")


async def try_partitions(connection: asyncpg.Connection) -> bool:
    """Take the right to change partitions; False while a backup, or somebody else, has it."""
    return await try_lead(connection, PARTITION_LOCK)


async def release_partitions(connection: asyncpg.Connection) -> None:
    """Give the right back."""
    await connection.execute("SELECT pg_advisory_unlock($1)", PARTITION_LOCK)


def missing(have: Sequence[Partition], wanted: Sequence[Partition]) -> list[Partition]:
    """Those of `wanted` that are not there, by name."""
    names = {partition.name for partition in have}
    return [partition for partition in wanted if partition.name not in names]
