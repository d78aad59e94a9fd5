"""Runs of all kinds, steered at random by several people at once while workers die: every run ends, and adds up."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any

import httpx
import pytest

from tests.e2e.client import Client, Document
from tests.e2e.database import Database
from tests.e2e.steps import define, delay, foreach, http, of_type
from tests.e2e.target import Reply, Target
from tests.product import PATIENCE_SECONDS, Product, is_gone, wait_for

SECONDS = 8.0
PEOPLE = 4
# On a quick machine: what is limited to a few runs at a time must still come to its end within the test.
MOST_CALLS = 1500
ENDLESS = of_type("wait", "wait", {"signal": "go", "timeout": 2})
# What may be answered, and nothing else.
EXPECTED = {200, 202, 409}
COUNTING = Lock()
# What must have worked at least once before the people go home.
WANTED = ("start", "retry", "rerun", "cancel", "send")


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product of two workers, which give waiting runs up soon, and die here."""
    return start_product(workers=2, settings={"FLOWFORGE_SUSPEND_AFTER_SECONDS": "0.2"})


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

    def act(self, until: float, answered: Counter[tuple[str, int]]) -> None:
        """Do one thing after the other, and count what is answered, by call and status."""
        calls: list[Callable[[str], httpx.Response]] = [self.start, self.retry, self.rerun, self.cancel, self.send]
        calls += [self.decide, self.act_on_many, self.start, self.send]
        while not all(answered[call, 202] for call in WANTED) or (
            time.monotonic() < until and answered.total() < MOST_CALLS
        ):
            assert time.monotonic() < until + PATIENCE_SECONDS, answered
            call = self.random.choice(calls) if self.runs else self.start
            run_id = self.random.choice(self.runs[-80:]) if self.runs else ""
            status = call(run_id).status_code
            with COUNTING:
                answered[call.__name__, status] += 1

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
    living = {pid for pid in workers_of(product) - killed if not is_gone(pid)}
    return min(living) if len(living) == 2 else None


def rows(database: Database, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in database.fetch(statement, *values)]


def wait_for_all_ends(database: Database) -> None:
    """Until no run is left, or until for a long time none of those that are left has ended."""
    unfinished = "SELECT id, status, owner, wake_at, slot_at, attempt FROM run WHERE finished_at IS NULL"
    fewest, deadline = 1 << 30, 0.0
    while left := rows(database, unfinished):
        if len(left) < fewest:
            fewest, deadline = len(left), time.monotonic() + PATIENCE_SECONDS
        assert time.monotonic() < deadline, f"these runs do not end: {left}"
        time.sleep(0.1)


@pytest.mark.timeout(300)
def test_every_run_ends_and_adds_up(product: Product, client: Client, database: Database, target: Target) -> None:
    workflows, runs = define_all(client, target), list[str]()
    answered: Counter[tuple[str, int]] = Counter()
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(PEOPLE + 1) as executor:
        death = executor.submit(kill_workers, product, until)
        people = [Person(client.http, seed, workflows, runs) for seed in range(PEOPLE)]
        for task in [executor.submit(each.act, until, answered) for each in people]:
            task.result()
        assert death.result() > 1
    assert {status for _, status in answered} <= EXPECTED, answered
    wait_for_all_ends(database)
    assert rows(database, "SELECT id, error_message FROM run WHERE error_code = 'internal_error'") == []
    gaps = "SELECT run_id FROM journal GROUP BY run_id HAVING count(*) <> max(seq)"
    assert rows(database, gaps) == []
    miscounted = """
    SELECT id FROM run
    WHERE attempt <> 1 + (SELECT count(*) FROM journal WHERE run_id = run.id AND kind = 'run.retried')
    """
    assert rows(database, miscounted) == []
    assert rows(database, "SELECT id FROM run WHERE owner IS NOT NULL OR wake_at IS NOT NULL") == []
    stored = {
        str(run_id): (status, attempt)
        for run_id, status, attempt in rows(database, "SELECT id, status, attempt FROM run")
    }
    for run_id in runs[::5]:
        run = client.run(run_id)
        assert (run["status"], run["attempt"]) == stored[run_id]
        assert run["time"]["total_ms"] == sum(ms for part, ms in run["time"].items() if part != "total_ms")
