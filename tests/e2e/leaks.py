"""A search for secrets in all that a product keeps and says."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct
from redis import Redis

from tests.e2e.client import Client, Frame
from tests.e2e.database import Database
from tests.e2e.target import TargetServer
from tests.product import Product, wait_for

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


def find_leaks_in_bytes(content: bytes, secrets: Iterable[str]) -> list[str]:
    """The spellings of the secrets that stand in bytes of any kind."""
    return [spelling for secret in secrets for spelling in spell(secret) if spelling.encode() in content]


def find_leaks_in_folder(folder: Path, secrets: Iterable[str]) -> list[str]:
    """The files below a folder in which a secret stands: logs, and whatever the servers have written."""
    found, looked_at = [], 0
    for path in folder.rglob("*"):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            # Servers come and go with their files.
            continue
        looked_at += bool(content)
        if leaks := find_leaks_in_bytes(content, secrets):
            found.append(f"{path.relative_to(folder)}: {leaks}")
    assert looked_at > 100, "the folder of a product with a database holds many files"
    return found


def read_calls(client: Client, ids: Mapping[str, str]) -> dict[str, str]:
    """What every call answers that reads and needs no more than these ids; streams do not end by themselves."""
    answers = {}
    for path, operations in client.read("/openapi.json")["paths"].items():
        names = set(re.findall(r"\{(\w+)\}", path))
        if "get" in operations and names <= ids.keys() and not path.endswith("/stream"):
            answer = client.http.get(re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path))
            assert answer.status_code < 500, answer.text
            answers[f"GET {path}"] = answer.text if answer.is_success else ""
    return answers


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


class Search(Struct, frozen=True):
    """Looks for secrets in all that a product says and keeps."""

    client: Client
    product: Product
    database: Database
    server: TargetServer

    def find(
        self, run: dict[str, Any], secrets: list[str], trace_id: str = "", live: Sequence[Frame] = ()
    ) -> list[str]:
        """Where anything of the secrets stands, once something of the run's trace has been collected."""
        (path,) = [f"/v1/connections/{each['id']}" for each in self.client.read("/v1/connections")["items"]]
        ids = {"run_id": run["id"], "workflow_id": run["workflow_id"], "connection_id": path.rpartition("/")[2]}
        with self.client.stream(f"/v1/runs/{run['id']}/stream") as frames:
            streamed = [msgspec.json.encode(frame).decode() for frame in frames]
        calls = read_calls(self.client, ids)
        assert calls["GET /v1/runs/{run_id}"]
        assert calls["GET /v1/audit/export"]
        assert "flowforge_" in calls["GET /metrics"]
        texts = {
            "run": json.dumps(run),
            "stream of the run": "\n".join(streamed),
            "stream of the workspace": msgspec.json.encode(live).decode(),
            "log": self.product.output,
            **calls,
            **dump_tables(self.database),
            **dump_redis(self.product.run["redis"]["url"]),
        }
        assert {"journal", "payload", "connection", "outbox", "audit_entry", "idempotency_key"} <= texts.keys()
        assert all(role in texts["log"] for role in ("api", "relay", "worker"))
        found = [f"{place}: {leaks}" for place, text in texts.items() if (leaks := find_leaks(text, secrets))]
        traces = wait_for(lambda: self._collect(trace_id, run["id"] if trace_id else ""), what=f"trace {trace_id}")
        found += [f"traces: {leaks}" for leaks in [find_leaks_in_bytes(traces, secrets)] if leaks]
        return found + find_leaks_in_folder(self.product.folder, secrets)

    def _collect(self, trace_id: str, run_id: str) -> bytes | None:
        """All that was collected, once this trace is there with what a worker sent of it: that names the run.

        The API sends its part of the trace by itself, often earlier.
        """
        traces = b"".join(each.body for each in list(self.server.received) if each.path == "/collector/v1/traces")
        return traces if bytes.fromhex(trace_id) in traces and run_id.encode() in traces else None
