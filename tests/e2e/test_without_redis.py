"""Redis is away: everything that PostgreSQL alone can do goes on, readiness says what is missing, and it comes back."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from cli.servers.valkey import Valkey
from tests.e2e.client import Client
from tests.e2e.database import Database
from tests.e2e.steps import define, delay, transform
from tests.product import Product, wait_for

PATIENCE_SECONDS = 90
EVENTS = 20


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Redis that nobody starts again."""
    server = Valkey(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def product(tmp_path_factory: pytest.TempPathFactory, redis: Valkey) -> Iterator[Product]:
    running = Product(tmp_path_factory.mktemp("degraded") / "data", settings={"FLOWFORGE_REDIS_URL": redis.url})
    running.start()
    yield running
    assert running.stop() == 0


def checks_of(product: Product) -> tuple[int, dict[str, str]]:
    """Status of the answer about readiness, and of each dependency."""
    status, body = product.get("/health/ready")
    return status, {name: check["status"] for name, check in json.loads(body)["checks"].items()} if body else {}


def test_without_redis_starts_are_accepted_and_runs_go_on_until_it_is_back(product: Product, redis: Valkey) -> None:
    database = Database(lambda: product.run["postgres"]["url"])
    definition = define(
        transform("first", n=1), delay("pause", 0.5, after=["first"]), transform("last", after=["pause"], n=2)
    )
    with closing(Client(product.url)) as client:
        client.sign_in()
        workflow = client.publish(definition)
        limited = client.publish(definition, config={"rate_limit": {"per_minute": 1000}})
        pids = {name: product.run[name] for name in ("api", "relay", "workers")}
        redis.stop()
        missing = (503, {"postgres": "ok", "redis": "failed", "migrations": "ok"})
        wait_for(lambda: checks_of(product) == missing, seconds=PATIENCE_SECONDS, what="readiness that names Redis")
        assert product.get("/health/live")[0] == 200
        accepted = [client.start(workflow.id)]
        for number in range(EVENTS):
            hook = (workflow, limited)[number % 2].hook
            answer = client.http.post(hook, json={"n": number}, headers={"webhook-id": f"event-{number}"})
            assert answer.status_code == 202, answer.text
            accepted.append(answer.json()["run_id"])
        again = client.http.post(workflow.hook, json={"n": 0}, headers={"webhook-id": "event-0"})
        assert (again.status_code, again.json()["run_id"]) == (200, accepted[1])
        for run_id in accepted:
            assert client.wait_for_end(run_id, seconds=PATIENCE_SECONDS)["status"] == "succeeded"
        with closing(Client(product.url)) as another:
            another.sign_in()
        assert checks_of(product) == missing, "it was away all the time"
        redis.start()
        ready = (200, dict.fromkeys(missing[1], "ok"))
        wait_for(lambda: checks_of(product) == ready, seconds=PATIENCE_SECONDS, what="readiness")
        rows = "SELECT count(*) AS rows FROM outbox"
        wait_for(lambda: database.fetch(rows)[0]["rows"] == 0, seconds=PATIENCE_SECONDS, what="empty outbox")
        assert client.finish(workflow.id, seconds=PATIENCE_SECONDS)["status"] == "succeeded"
    assert {name: product.run[name] for name in pids} == pids, "nobody died of it"
    assert '"level":"error"' not in product.output
