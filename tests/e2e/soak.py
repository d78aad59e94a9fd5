"""Load at a steady rate, and what it leaves behind, second by second."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean

import httpx
from msgspec import Struct

from tests.e2e.database import Database
from tests.product import PATIENCE_SECONDS, Product

# A few senders at once keep to the rate even when one of them waits.
SENDERS = 4

HOT = ("outbox", "inbox", "worker", "run")

_DEAD = """
SELECT regexp_replace(relname, '^run_.*', 'run') AS name, sum(n_dead_tup)::bigint AS dead,
       sum(pg_relation_size(relid))::bigint AS size, sum(n_tup_del + n_tup_upd)::bigint AS changed,
       sum(n_live_tup)::bigint AS alive
FROM pg_stat_user_tables WHERE relname IN ('outbox', 'inbox', 'worker') OR relname LIKE 'run\\_%' GROUP BY 1
"""
_DEPTH = """
SELECT count(*) AS depth, (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS open FROM outbox
"""


class Sample(Struct, frozen=True, kw_only=True):
    """How things stood at a moment; tables by name: dead rows, bytes, changes since ever, living rows."""

    at: float
    depth: int
    connections: int
    memory: int
    dead: dict[str, int]
    size: dict[str, int]
    changed: dict[str, int]
    alive: dict[str, int]


class Soak:
    """Sends events at a rate and takes a sample at every interval."""

    def __init__(self, product: Product, database: Database, send: Callable[[httpx.Client, int], None]) -> None:
        self._product = product
        self._database = database
        self._send = send
        self.sent = 0
        self.samples: list[Sample] = []

    def run(self, *, rate: float, seconds: float, least: float = 0, interval: float = 1.0) -> None:
        """Keep on for so many seconds, and until at least so many events were sent."""
        begin = time.monotonic()
        stop = threading.Event()
        sent = [0] * SENDERS
        with ThreadPoolExecutor(SENDERS) as senders:
            sending = [senders.submit(self._keep_sending, number, rate, begin, stop, sent) for number in range(SENDERS)]
            try:
                while (elapsed := time.monotonic() - begin) < seconds or sum(sent) < least:
                    assert not any(sender.done() for sender in sending), "a sender has given up"
                    self.samples.append(self._look(elapsed))
                    stop.wait(interval)
            finally:
                stop.set()
            for sender in sending:
                sender.result()
        self.sent += sum(sent)

    def later(self, share: float) -> list[Sample]:
        """The samples of the last share of the time."""
        return self.samples[int(len(self.samples) * (1 - share)) :]

    def rate_of_changes(self, table: str) -> float:
        """Rows that were updated or deleted, a second."""
        first, last = self.samples[0], self.samples[-1]
        return (last.changed.get(table, 0) - first.changed.get(table, 0)) / (last.at - first.at)

    def _keep_sending(self, number: int, rate: float, begin: float, stop: threading.Event, sent: list[int]) -> None:
        with httpx.Client(base_url=self._product.url, timeout=PATIENCE_SECONDS) as client:
            # Open loop: whoever is late sends at once.
            while not stop.wait(max(0.0, begin + (sent[number] * SENDERS + number) / rate - time.monotonic())):
                self._send(client, sent[number] * SENDERS + number)
                sent[number] += 1

    def _look(self, at: float) -> Sample:
        rows = {row["name"]: row for row in self._database.fetch(_DEAD)}
        (depth,) = self._database.fetch(_DEPTH)
        return Sample(
            at=at,
            depth=depth["depth"],
            connections=depth["open"],
            memory=sum(_memory(pid) for pid in _pids(self._product)),
            dead={name: row["dead"] for name, row in rows.items()},
            size={name: row["size"] for name, row in rows.items()},
            changed={name: row["changed"] for name, row in rows.items()},
            alive={name: row["alive"] for name, row in rows.items()},
        )


def mean(values: list[int]) -> float:
    """Their mean."""
    return fmean(values)


def _pids(product: Product) -> list[int]:
    """API, relay and workers."""
    run = product.run
    return [entry["pid"] for entry in (run["api"], run["relay"], *run["workers"])]


def _memory(pid: int) -> int:
    """Bytes that the process alone, or its share of what several have, takes of the memory."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
