"""Webhooks over several API processes and workers, while Redis is away, and across restarts of everything."""

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from engine.infra.settings import Settings
from tests.e2e.client import Client, Deliver, Published, assert_problem
from tests.e2e.database import Database
from tests.e2e.steps import define, of_type, transform
from tests.integration.api.served import serving
from tests.product import Product, wait_for

Publish = Callable[..., Published]
SYNC = {"respond": "sync", "respond_timeout": 120}
ANSWER = define(of_type("respond", "answer", {"status": 201, "body": {"n": "{{ trigger.body.n }}"}}))


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product of two workers that forgets the names of deliveries as early as it may."""
    settings = {"FLOWFORGE_DEDUP_HOURS": "24", "FLOWFORGE_RETENTION_INTERVAL_SECONDS": "0.5"}
    return start_product(workers=2, settings=settings)


@pytest.fixture(scope="module")
def second_api(product: Product) -> Iterator[httpx.Client]:
    """Another API process over the same servers."""
    run = product.run
    settings = Settings(
        database_url=run["postgres"]["url"],
        redis_url=run["redis"]["url"],
        data_dir=str(product.folder),
        secret_key=(product.folder / "secret.key").read_text().strip(),
    )
    with serving(settings) as served, httpx.Client(base_url=served.url, timeout=120) as opened:
        yield opened


@contextmanager
def silent(product: Product, role: str) -> Iterator[None]:
    """The server of a role does nothing: it refuses no connection, and answers nobody."""
    pid = product.pid_of(role)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_callers_of_two_api_processes_are_answered_by_whichever_worker_has_the_run(
    product: Product, publish_workflow: Publish, second_api: httpx.Client, database: Database
) -> None:
    published = publish_workflow(ANSWER, config=SYNC)
    path = published.hook.removeprefix(product.url)
    with httpx.Client(base_url=product.url, timeout=120) as first_api, ThreadPoolExecutor(16) as threads:
        answers = list(
            threads.map(lambda n: (first_api, second_api)[n % 2].post(path, content=json.dumps({"n": n})), range(60))
        )
    assert [(answer.status_code, answer.json()) for answer in answers] == [(201, {"n": n}) for n in range(60)]
    (row,) = database.fetch("SELECT count(*) AS runs FROM run WHERE workflow_id = $1", uuid.UUID(published.id))
    assert row["runs"] == 60


def test_fifty_equal_requests_to_two_api_processes_start_one_run(
    product: Product, publish_workflow: Publish, second_api: httpx.Client, database: Database
) -> None:
    published = publish_workflow(define(transform("nothing")))
    path = published.hook.removeprefix(product.url)
    headers = {"idempotency-key": uuid.uuid4().hex}
    with httpx.Client(base_url=product.url, timeout=120) as first_api, ThreadPoolExecutor(50) as threads:
        answers = list(
            threads.map(lambda n: (first_api, second_api)[n % 2].post(path, json={}, headers=headers), range(50))
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    (row,) = database.fetch("SELECT count(*) AS runs FROM run WHERE workflow_id = $1", uuid.UUID(published.id))
    assert row["runs"] == 1


def test_a_trigger_that_was_made_a_moment_ago_is_known_to_every_api_process(
    product: Product, client: Client, publish_workflow: Publish, second_api: httpx.Client
) -> None:
    published = publish_workflow(define(transform("nothing")))
    for _ in range(5):
        path = client.add_trigger(published.id, {})["url"].removeprefix(product.url)
        assert second_api.post(path, json={}).status_code == 202
        trigger_id = client.read(f"/v1/workflows/{published.id}/triggers")["items"][-1]["id"]
        client.http.patch(f"/v1/triggers/{trigger_id}", json={"enabled": False})
        assert_problem(second_api.post(path, json={}), 404, "not_found")
        client.http.patch(f"/v1/triggers/{trigger_id}", json={"enabled": True})
        assert second_api.post(path, json={}).status_code == 202


def test_while_redis_is_silent_a_waiting_caller_is_answered_from_the_database(
    product: Product, publish_workflow: Publish, second_api: httpx.Client
) -> None:
    path = publish_workflow(ANSWER, config=SYNC).hook.removeprefix(product.url)
    with silent(product, "redis"):
        answer = second_api.post(path, json={"n": 7})
    assert (answer.status_code, answer.json()) == (201, {"n": 7})


def test_a_hook_is_never_unknown_because_the_database_is_away(
    product: Product, publish_workflow: Publish, second_api: httpx.Client
) -> None:
    path = publish_workflow(define(transform("nothing"))).hook.removeprefix(product.url)
    killed = product.pid_of("postgres")
    product.kill("postgres")
    # The token is in no memory of this process. Until the database is back it is told to come again, and never 404.
    answers: list[httpx.Response] = []

    def is_taken() -> bool:
        # By the next server, and not by what is left of the one that was killed.
        is_next = product.run.get("postgres", {}).get("pid") not in (None, killed)
        answers.append(second_api.post(path, json={}))
        return is_next and answers[-1].status_code == 202

    wait_for(is_taken, seconds=120, what="accepted event")
    assert {answer.status_code for answer in answers} <= {202, 503}
    for refused in answers:
        assert refused.status_code == 202 or int(refused.headers["retry-after"]) >= 1


def test_a_delivery_is_a_repeat_for_a_day_across_restarts_and_then_its_name_is_forgotten(
    product: Product, client: Client, publish_workflow: Publish, deliver: Deliver, database: Database
) -> None:
    published = publish_workflow(define(transform("nothing")), config={"dedup_key": "trigger.body.id"})
    first = deliver(published.hook, '{"id": "order 7"}')
    assert first.status_code == 202
    _age(database, published, "23 hours 50 minutes")
    assert product.stop() == 0
    product.start()
    again = deliver(published.hook, '{"id": "order 7"}')
    assert (again.status_code, again.json()["run_id"]) == (200, first.json()["run_id"])
    product.kill_supervisor(with_children=True)
    product.start()
    again = deliver(published.hook, '{"id": "order 7"}')
    assert (again.status_code, again.json()["run_id"]) == (200, first.json()["run_id"])
    _age(database, published, "15 minutes")
    wait_for(lambda: _names(database, published) == [], seconds=90, what="forgotten name")
    other = deliver(published.hook, '{"id": "order 7"}')
    assert other.status_code == 202
    assert other.json()["run_id"] != first.json()["run_id"]
    assert client.wait_for_end(other.json()["run_id"])["status"] == "succeeded"


def _age(database: Database, published: Published, time: str) -> None:
    """Make the names of deliveries older by a time."""
    changed = database.fetch(
        f"UPDATE dedup_key SET created_at = created_at - interval '{time}' WHERE scope = $1 RETURNING key",  # noqa: S608 - a constant of a test
        uuid.UUID(published.trigger_id),
    )
    assert len(changed) == 1


def _names(database: Database, published: Published) -> list[str]:
    rows = database.fetch("SELECT key FROM dedup_key WHERE scope = $1", uuid.UUID(published.trigger_id))
    return [row["key"] for row in rows]
