"""Under a steady load nothing but what is kept grows: no outbox, no dead rows, no connections, no memory."""

import uuid
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from tests.e2e.client import Client
from tests.e2e.database import Database
from tests.e2e.soak import HOT, Soak, mean
from tests.e2e.steps import define, transform
from tests.product import Product, wait_for

# Five times 1,000 events a minute.
RATE = 5 * 1000 / 60
# The outbox is cleared away at 1,000 dead rows, a partition of runs at those and a twentieth of it.
THRESHOLD = 1000
SHARE = {"run": 0.05}
# From the threshold on: until PostgreSQL looks, has cleaned up, and has told its statistics.
SECONDS_OF_DEAD_ROWS = 14.0
DEEPEST = 5 * RATE
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product of its own."""
    return start_product(workers=2)


@pytest.fixture(scope="module")
def soak(product: Product, database: Database) -> Soak:
    with closing(Client(product.url)) as opened:
        client = opened.sign_in()
        workflow = client.publish(define(transform("first", n=1), transform("second", after=["first"], n=2)))
    path = httpx.URL(workflow.hook).path

    def send(sender: httpx.Client, _number: int) -> None:
        answer = sender.post(path, json={"n": 1}, headers={"webhook-id": uuid.uuid4().hex})
        assert answer.status_code == 202, answer.text

    return Soak(product, database, send)


def assert_flat(soak: Soak) -> None:
    """In the last half, nothing is more than the load of a few seconds explains."""
    later = soak.later(0.5)
    for table in HOT:
        most = THRESHOLD + SECONDS_OF_DEAD_ROWS * soak.rate_of_changes(table)
        for sample in later:
            allowed = most + SHARE.get(table, 0) * sample.alive.get(table, 0)
            assert sample.dead.get(table, 0) <= allowed, (table, sample.at, sample.dead, allowed)
    assert max(sample.depth for sample in later) <= DEEPEST
    assert max(sample.connections for sample in later) <= soak.samples[len(soak.samples) // 2].connections + 4


def assert_all_ended(soak: Soak, database: Database) -> None:
    """Every event that was accepted became a run that has ended, and nothing waits any more."""
    unfinished = "SELECT count(*) AS open FROM run WHERE finished_at IS NULL"
    wait_for(lambda: database.fetch(unfinished)[0]["open"] == 0, what="end of all runs")
    wait_for(lambda: database.fetch("SELECT count(*) AS rows FROM outbox")[0]["rows"] == 0, what="empty outbox")
    assert database.fetch("SELECT count(*) AS runs FROM run WHERE status = 'succeeded'")[0]["runs"] >= soak.sent


def test_outbox_and_dead_rows_stay_flat(soak: Soak, database: Database) -> None:
    # PostgreSQL looks once a minute by default, which is longer than this test.
    database.fetch("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    database.fetch("SELECT pg_reload_conf()")
    try:
        soak.run(rate=RATE, seconds=24)
        assert soak.sent >= 0.8 * RATE * 24, "the load was there"
        assert soak.rate_of_changes("outbox") > RATE
        # So many dead rows would lie about if nobody cleared them away.
        assert soak.rate_of_changes("outbox") * 24 > THRESHOLD + SECONDS_OF_DEAD_ROWS * soak.rate_of_changes("outbox")
        assert_flat(soak)
        assert_all_ended(soak, database)
    finally:
        database.fetch("ALTER SYSTEM RESET autovacuum_naptime")
        database.fetch("SELECT pg_reload_conf()")


@pytest.mark.full
@pytest.mark.timeout(2400)
def test_half_an_hour_of_five_times_the_load_leaves_nothing_behind(soak: Soak, database: Database) -> None:
    soak.samples.clear()
    soak.run(rate=RATE, seconds=1800, interval=5)
    assert soak.sent >= 0.95 * RATE * 1800
    later = soak.later(0.67)
    half = len(later) // 2
    for table in ("outbox", "inbox", "worker"):
        # PostgreSQL looks once a minute: the rows of a minute lie about, and no more than that.
        assert max(sample.dead.get(table, 0) for sample in later) <= THRESHOLD + 90 * soak.rate_of_changes(table)
        sizes = [sample.size.get(table, 0) for sample in later]
        assert max(sizes[half:]) <= max(sizes[:half]) * 1.2 + MEGABYTE, table
    assert max(sample.depth for sample in later) <= DEEPEST
    assert max(sample.connections for sample in later) <= max(sample.connections for sample in soak.samples[:12]) + 4
    before, after = mean([one.memory for one in later[:half]]), mean([one.memory for one in later[half:]])
    assert after <= before * 1.1 + 16 * MEGABYTE
    assert_all_ended(soak, database)
