"""A disk without any room: starts are refused and nothing accepted is lost, and once there is room all goes on."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.e2e.client import Client, Published
from tests.e2e.database import Database
from tests.e2e.small_disk import DiskProduct, find_obstacle
from tests.e2e.steps import define, delay, transform
from tests.product import wait_for

PATIENCE_SECONDS = 90
# Attempts at a server that cannot start, and what lies between them once the shortest pauses are over.
ATTEMPTS, LEAST_PAUSE_SECONDS = 7, 0.9
BODY = {"text": "x" * 20_000}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DiskProduct]:
    """A product on a small disk."""
    if (obstacle := find_obstacle()) is not None:
        pytest.skip(f"a full disk {obstacle}")
    running = DiskProduct(tmp_path_factory.mktemp("disk") / "data")
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def client(product: DiskProduct) -> Iterator[Client]:
    with closing(Client(product.url)) as opened:
        yield opened.sign_in()


@pytest.fixture(scope="module")
def database(product: DiskProduct) -> Database:
    return Database(lambda: product.run["postgres"]["url"])


@pytest.fixture
def workflow(client: Client) -> Published:
    return client.publish(
        define(transform("first", n=1), delay("pause", 1, after=["first"]), transform("last", after=["pause"], n=2))
    )


class Sender:
    """Sends events until one is refused, and knows which were accepted."""

    def __init__(self, client: Client, workflow: Published) -> None:
        self._client, self._workflow = client, workflow
        self.accepted: list[str] = []
        self._sent = 0

    def send(self) -> httpx.Response:
        self._sent += 1
        headers = {"webhook-id": f"event-{self._sent}"}
        answer = self._client.http.post(self._workflow.hook, json=BODY, headers=headers)
        if answer.status_code == 202:
            self.accepted.append(answer.json()["run_id"])
        return answer

    def is_refused(self) -> httpx.Response | None:
        answer = self.send()
        return None if answer.status_code == 202 else answer


def lines_of(product: DiskProduct, *messages: str) -> list[dict[str, Any]]:
    """What the supervisor said so."""
    found = []
    for line in product.output.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            said = json.loads(line)
            if isinstance(said, dict) and said.get("message") in messages:
                found.append(said)
    return found


def tries_of(product: DiskProduct) -> list[dict[str, Any]]:
    """The attempts at a start that came to nothing, behind the end that they follow."""
    return lines_of(product, "process cannot be started", "process died")[1:]


def children_of(product: DiskProduct) -> list[int]:
    run = product.run
    return [entry["pid"] for entry in (run["api"], run["relay"], *run["workers"])]


def use_up_log(product: DiskProduct, database: Database) -> None:
    """Begin one file of PostgreSQL's log after the other, until there is none left and the server has stopped."""
    pid = product.run["postgres"]["pid"]

    def has_stopped() -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            database.fetch("SELECT pg_logical_emit_message(true, 'test', 'x')")
            database.fetch("SELECT pg_switch_wal()")
        return not Path(f"/proc/{pid}").exists()

    wait_for(has_stopped, seconds=PATIENCE_SECONDS, what="stop of PostgreSQL")


def test_without_room_for_tables_starts_are_refused_and_what_was_accepted_goes_on_later(
    product: DiskProduct, client: Client, workflow: Published
) -> None:
    sender = Sender(client, workflow)
    for _ in range(10):
        assert sender.send().status_code == 202
    product.fill()
    refusal = wait_for(sender.is_refused, seconds=PATIENCE_SECONDS, what="refused start")
    assert (refusal.status_code, refusal.json()["code"]) == (503, "database_unavailable")
    assert int(refusal.headers["retry-after"]) >= 1
    assert product.get("/health/live")[0] == 200
    product.free()
    for run_id in sender.accepted:
        assert client.wait_for_end(run_id, seconds=PATIENCE_SECONDS)["status"] == "succeeded"
    assert lines_of(product, "process died") == []


def test_without_room_for_its_log_postgres_stops_and_comes_back_with_all_that_was_accepted(
    product: DiskProduct, client: Client, database: Database, workflow: Published
) -> None:
    sender = Sender(client, workflow)
    for _ in range(10):
        assert sender.send().status_code == 202
    children = children_of(product)
    product.fill()
    use_up_log(product, database)
    refusal = wait_for(sender.is_refused, seconds=PATIENCE_SECONDS, what="refused start")
    assert refusal.status_code == 503
    assert int(refusal.headers["retry-after"]) >= 1
    assert product.get("/health/live")[0] == 200
    status, readiness = product.get("/health/ready")
    assert (status, json.loads(readiness)["checks"]["postgres"]["status"]) == (503, "failed")
    # The supervisor tries again, and not ever more often.
    wait_for(lambda: len(tries_of(product)) >= ATTEMPTS, seconds=PATIENCE_SECONDS, what="attempts to start PostgreSQL")
    tries = tries_of(product)
    assert {line["process"] for line in tries} == {"postgres"}
    assert any("No space left on device" in line["said"] for line in tries), "it is told why"
    moments = [datetime.fromisoformat(line["timestamp"]).timestamp() for line in tries]
    assert min(later - before for before, later in list(pairwise(moments))[-3:]) >= LEAST_PAUSE_SECONDS
    assert children_of(product) == children, "nobody else died of it"
    product.free()
    wait_for(lambda: product.get("/health/ready")[0] == 200, seconds=PATIENCE_SECONDS, what="readiness")
    for run_id in sender.accepted:
        assert client.wait_for_end(run_id, seconds=PATIENCE_SECONDS)["status"] == "succeeded"
    assert sender.send().status_code == 202
    assert children_of(product) == children


def test_a_process_that_dies_while_the_disk_is_full_is_started_again(product: DiskProduct, client: Client) -> None:
    relay = product.run["relay"]["pid"]
    product.fill()
    os.kill(relay, signal.SIGKILL)
    wait_for(
        lambda: [line for line in lines_of(product, "process started again") if line["process"] == "relay"],
        seconds=PATIENCE_SECONDS,
        what="new relay",
    )
    # Where it is cannot be written down; that is no reason to end.
    wait_for(lambda: lines_of(product, "process ids cannot be noted"), seconds=PATIENCE_SECONDS, what="note in the log")
    assert product.get("/health/live")[0] == 200
    product.free()
    assert client.me()["role"] == "owner"
    wait_for(lambda: product.run["relay"]["pid"] != relay, seconds=PATIENCE_SECONDS, what="new relay in run.json")
