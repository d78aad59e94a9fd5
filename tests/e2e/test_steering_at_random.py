"""Runs of all kinds, steered at random by several people at once while workers die: every run ends, and adds up."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.e2e.client import Client, Document
from tests.e2e.database import Database
from tests.e2e.steps import define, delay, foreach, http, of_type
from tests.e2e.target import Reply, Target
from tests.product import Product, wait_for

SECONDS = 8.0
PEOPLE = 4
ENDLESS = of_type("wait", "wait", {"signal": "go", "timeout": 2})
# What may be answered, and nothing else.
EXPECTED = {200, 202, 409}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, allowed_targets: dict[str, str]) -> Iterator[Product]:
    """A product of two workers, which give waiting runs up soon, and die here."""
    settings = {**allowed_targets, "FLOWFORGE_SUSPEND_AFTER_SECONDS": "0.2"}
    running = Product(tmp_path_factory.mktemp("random") / "data", workers=2, settings=settings)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def client(product: Product) -> Iterator[Client]:
    with closing(Client(product.url)) as opened:
        yield opened.sign_in()


@pytest.fixture(scope="module")
def database(product: Product) -> Database:
    return Database(lambda: product.run["postgres"]["url"])


def define_all(client: Client, target: Target) -> dict[str, list[str]]:
    """Published workflows of all kinds, with the ids of their steps."""
    chance = random.Random(1)  # noqa: S311 - a repeatable plan
    replies = [Reply(), Reply(status=404), Reply(value="x" * 70_000), Reply(delay=0.05)]
    target.plan("/a", *chance.choices(replies, k=5000))
    call, ask = http("call", target.base + "/a"), of_type("approval", "ask", {"message": "?", "timeout": 2})
    child = client.publish(define(call, {**ENDLESS, "after": ["call"]}), name="Child").id
    sub = of_type("workflow", "sub", {"workflow_id": child})
    definitions = [
        define(call, {**ENDLESS, "after": ["call"]}, {**ask, "after": ["wait"]}),
        define(foreach("each", "[1, 2, 3]", call, {**ENDLESS, "after": ["call"]}, concurrency=2)),
        define(sub, foreach("each", "[1, 2]", {**sub, "id": "nested"})),
        define(call, delay("rescue", 0.3, after=["call.error"]), settings={"concurrency": {"key": "k", "limit": 2}}),
    ]
    return {client.publish(each).id: [step["id"] for step in each["steps"]] for each in definitions}


class Person:
    """Somebody who does this and that to the runs that all of them know."""

    def __init__(self, api: httpx.Client, seed: int, workflows: dict[str, list[str]], runs: list[str]) -> None:
        self.api, self.workflows, self.runs = api, workflows, runs
        self.random = random.Random(seed)  # noqa: S311 - a repeatable order

    def act(self, until: float) -> Counter[tuple[str, int]]:
        """What was answered, by call and status."""
        answered: Counter[tuple[str, int]] = Counter()
        calls: list[Callable[[str], httpx.Response]] = [self.start, self.retry, self.rerun, self.cancel, self.send]
        calls += [self.decide, self.act_on_many, self.start, self.send]
        while time.monotonic() < until:
            call = self.random.choice(calls) if self.runs else self.start
            run_id = self.random.choice(self.runs[-80:]) if self.runs else ""
            answered[call.__name__, call(run_id).status_code] += 1
        return answered

    def post(self, path: str, body: Document) -> httpx.Response:
        return self.api.post(f"/v1/{path}", json=body)

    def start(self, _run_id: str) -> httpx.Response:
        return self._note(self.post(f"workflows/{self.random.choice(list(self.workflows))}/runs", {}))

    def retry(self, run_id: str) -> httpx.Response:
        return self.post(f"runs/{run_id}/retry", {})

    def rerun(self, run_id: str) -> httpx.Response:
        steps = self.workflows[self.api.get(f"/v1/runs/{run_id}").json()["workflow_id"]]
        body = {"from_step": self.random.choice(steps)} if self.random.random() < 0.6 else {}
        return self._note(self.post(f"runs/{run_id}/rerun", body))

    def cancel(self, run_id: str) -> httpx.Response:
        return self.post(f"runs/{run_id}/cancel", {})

    def send(self, run_id: str) -> httpx.Response:
        return self.post(f"runs/{run_id}/signal", {"name": "go", "payload": "x" * self.random.choice([1, 80_000])})

    def decide(self, _run_id: str) -> httpx.Response:
        page = self.api.get("/v1/approvals", params={"status": "pending", "limit": 20})
        if not page.json()["items"]:
            return page
        decision = {"decision": self.random.choice(["approved", "rejected"])}
        return self.post(f"approvals/{self.random.choice(page.json()['items'])['id']}", decision)

    def act_on_many(self, _run_id: str) -> httpx.Response:
        ids = self.random.sample(self.runs, min(8, len(self.runs)))
        return self.post("runs/bulk", {"action": self.random.choice(["cancel", "retry"]), "filter": {"ids": ids}})

    def _note(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 202:
            self.runs.append(answer.json()["run_id"])
        return answer


def workers_of(product: Product) -> set[int]:
    return {worker["pid"] for worker in product.run["workers"]}


def kill_workers(product: Product, until: float) -> int:
    """Kill one worker after the other, each once another has come for the one before; how many."""
    killed: set[int] = set()
    while time.monotonic() < until - 2:
        victim = wait_for(partial(_find_living, product, killed), what="two living workers")
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
    return len(killed)


def _find_living(product: Product, killed: set[int]) -> int | None:
    living = workers_of(product) - killed
    return min(living) if len(living) == 2 else None


def rows(database: Database, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in database.fetch(statement, *values)]


def test_every_run_ends_and_adds_up(product: Product, client: Client, database: Database, target: Target) -> None:
    workflows, runs = define_all(client, target), list[str]()
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(PEOPLE + 1) as executor:
        death = executor.submit(kill_workers, product, until)
        people = [Person(client.http, seed, workflows, runs) for seed in range(PEOPLE)]
        answered = sum((task.result() for task in [executor.submit(each.act, until) for each in people]), Counter())
        assert death.result() > 1
    assert {status for _, status in answered} <= EXPECTED, answered
    assert all(answered[call, 202] for call in ("start", "retry", "rerun", "cancel", "send")), answered
    unfinished = "SELECT id, status, owner, wake_at, slot_at, attempt FROM run WHERE finished_at IS NULL"
    deadline = time.monotonic() + 60
    while left := rows(database, unfinished):
        assert time.monotonic() < deadline, f"these runs do not end: {left}"
        time.sleep(0.1)
    assert rows(database, "SELECT id, error_message FROM run WHERE error_code = 'internal_error'") == []
    gaps = "SELECT run_id FROM journal GROUP BY run_id HAVING count(*) <> max(seq)"
    assert rows(database, gaps) == []
    miscounted = """
    SELECT id FROM run
    WHERE attempt <> 1 + (SELECT count(*) FROM journal WHERE run_id = run.id AND kind = 'run.retried')
    """
    assert rows(database, miscounted) == []
    assert rows(database, "SELECT id FROM run WHERE owner IS NOT NULL OR wake_at IS NOT NULL") == []
    for run_id in runs[::5]:
        run = client.run(run_id)
        assert [(run["status"], run["attempt"])] == rows(
            database, "SELECT status, attempt FROM run WHERE id = $1", UUID(run_id)
        )
        assert run["time"]["total_ms"] == sum(ms for part, ms in run["time"].items() if part != "total_ms")
