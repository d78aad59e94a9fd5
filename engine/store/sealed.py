"""The SQL of what is sealed under the installation's secret key, and is sealed anew when that one is rotated."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg
from msgspec import Struct

from engine.infra.kept_connections import place_of_tokens
from engine.store.connections import CONNECTION_PURPOSE, place_of_secret

TRIGGER_PURPOSE: Final = "trigger-secrets"
SIGNING_PURPOSE: Final = "signing keys"

# A sealed value begins with a version byte and the eight bytes of its key's id.
_LIST = """
SELECT {columns}, {sealed} AS sealed FROM {table}
WHERE {sealed} IS NOT NULL AND substring({sealed} FROM 2 FOR 8) <> $1 ORDER BY {key} LIMIT $2
"""
# What was changed meanwhile is sealed under the newest key by whoever changed it.
_REPLACE = "UPDATE {table} SET {sealed} = $3 WHERE {key} = $1 AND {sealed} = $2"
# Answers that hold secrets are kept for a day and never sealed anew; the others are JSON. Requests are kept as digests
# under a key (41 bytes; 32 of an older release), without which a repetition could not be told from another request.
_COUNT_ANSWERS = """
SELECT count(*) FROM idempotency_key
WHERE created_at > now() - interval '24 hours'
  AND ((substring(body FROM 1 FOR 1) = '\\x01'::bytea AND substring(body FROM 2 FOR 8) <> $1)
    OR (octet_length(request_hash) = 41 AND substring(request_hash FROM 2 FOR 8) <> $1))
"""


class SealedColumn(Struct, frozen=True, kw_only=True):
    """A column of sealed values: `key` finds a row, `place` is what its value is bound to."""

    table: str
    sealed: str
    key: str
    purpose: str
    place: Callable[[Any], str]
    more: Sequence[str] = ()

    def write(self, statement: str) -> str:
        """The statement for this column."""
        columns = ", ".join((self.key, *self.more))
        return statement.format(table=self.table, sealed=self.sealed, key=self.key, columns=columns)


SEALED_COLUMNS: Final = (
    SealedColumn(
        table="connection",
        sealed="wrapped_key",
        key="id",
        purpose=CONNECTION_PURPOSE,
        place=lambda row: f"{place_of_secret(row['workspace_id'], row['id'], row['secret_version'])}/key",
        more=("workspace_id", "secret_version"),
    ),
    SealedColumn(
        table="connection_token",
        sealed="wrapped_key",
        key="connection_id",
        purpose=CONNECTION_PURPOSE,
        place=lambda row: f"{place_of_tokens(row['workspace_id'], row['connection_id'], row['token_id'])}/key",
        more=("workspace_id", "token_id"),
    ),
    SealedColumn(
        table="workflow_trigger",
        sealed="secret",
        key="id",
        purpose=TRIGGER_PURPOSE,
        place=lambda row: f"workflow_trigger/{row['id']}/secret",
    ),
    SealedColumn(
        table="signing_key",
        sealed="sealed_private_key",
        key="kid",
        purpose=SIGNING_PURPOSE,
        place=lambda row: f"signing_key/{row['kid']}/sealed_private_key",
    ),
)


async def list_sealed_otherwise(
    connection: asyncpg.Connection, column: SealedColumn, key_id: bytes, limit: int
) -> Sequence[asyncpg.Record]:
    """Up to `limit` rows whose value is sealed under another key than this one."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(column.write(_LIST), key_id, limit)
    return rows


async def replace_sealed(connection: asyncpg.Connection, column: SealedColumn, row: Any, sealed: bytes) -> bool:
    """Replace the value of a row, unless it was changed meanwhile; whether it was done."""
    return str(await connection.execute(column.write(_REPLACE), row[column.key], row["sealed"], sealed)) == "UPDATE 1"


async def count_answers_sealed_otherwise(connection: asyncpg.Connection, key_id: bytes) -> int:
    """How many kept answers, or digests of their requests, were made under another key than this one."""
    return int(await connection.fetchval(_COUNT_ANSWERS, key_id))
