"""A search for secrets in all that a product keeps and says."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from redis import Redis

from tests.e2e.database import Database

_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""


def spell(secret: str) -> Iterator[str]:
    """The ways in which a secret may be written, and each of them as bytes are shown."""
    plain = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for text in {*plain, base64.b64encode(secret.encode()).decode()}:
        yield text
        yield text.encode().hex()


def find_leaks(text: str, secrets: Iterable[str]) -> list[str]:
    """The spellings of the secrets that stand in the text."""
    return [spelling for secret in secrets for spelling in spell(secret) if spelling in text]


def dump_tables(database: Database) -> dict[str, str]:
    """All rows of all tables, as text; bytes are in hexadecimal digits."""
    dumped = {}
    for table in database.fetch(_TABLES):
        name = table["relname"]
        rows = database.fetch(f"SELECT t::text AS row FROM {name} t")  # noqa: S608 - the catalogue's
        dumped[name] = "\n".join(row["row"] for row in rows)
    return dumped


def dump_redis(url: str) -> dict[str, str]:
    """What every key holds."""
    with Redis.from_url(url) as client:
        reading: dict[str, Callable[[bytes], Any]] = {
            "string": client.get,
            "stream": client.xrange,
            "hash": client.hgetall,
            "list": lambda key: client.lrange(key, 0, -1),
            "zset": lambda key: client.zrange(key, 0, -1),
            "set": client.smembers,
        }
        kinds = {key: client.type(key).decode() for key in client.scan_iter()}
        return {f"redis {key!r}": str(reading[kind](key)) for key, kind in kinds.items() if kind in reading}
