"""Under a steady load nothing but what is kept grows: no outbox, no dead rows, no connections, no memory."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from cli.servers import postgres
from cli.throwaway import throwaway_servers
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
# How long PostgreSQL sleeps between two looks. By default it is far longer than the short test.
NAP_SECONDS = 1
# From the threshold on: until those who changed rows have told the statistics, which they do once a second, PostgreSQL
# has looked, has cleaned up, for which it may wait 5 s to give the end of an emptied table back, and has told them too.
SECONDS_OF_DEAD_ROWS = 8.0
DEEPEST = 5 * RATE
DEAD_ROWS = """
SELECT relname AS name, n_dead_tup AS dead, n_live_tup AS alive, n_tup_upd + n_tup_del AS changed
FROM pg_stat_user_tables
"""
MEGABYTE = 1024 * 1024
# Of the short test, on a machine that keeps to the rate.
SECONDS = 24.0


@pytest.fixture(scope="module")
def eager_servers() -> Iterator[dict[str, str]]:
    """Servers whose PostgreSQL looks often. That of a product is told how often on its command line, for good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(postgres._OPTIONS, "autovacuum_naptime", f"{NAP_SECONDS}s")
        with throwaway_servers() as (database_url, redis_url):
            yield {"FLOWFORGE_DATABASE_URL": database_url, "FLOWFORGE_REDIS_URL": redis_url}


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product], eager_servers: dict[str, str]) -> Product:
    """A product at these servers."""
    return start_product(workers=2, settings=eager_servers)


def prepare_soak(product: Product, database: Database) -> Soak:
    """A load of webhooks for runs that end at once."""
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


@pytest.mark.timeout(300)
def test_outbox_and_dead_rows_stay_flat(product: Product, database: Database) -> None:
    assert database.fetch("SHOW autovacuum_naptime") == [{"autovacuum_naptime": f"{NAP_SECONDS}s"}]
    soak = prepare_soak(product, database)
    soak.run(rate=RATE, seconds=SECONDS, least=0.8 * RATE * SECONDS)
    outbox = soak.rate_of_changes("outbox")
    # So many dead rows would lie about if nobody cleared them away.
    assert outbox * soak.samples[-1].at > 1.5 * (THRESHOLD + SECONDS_OF_DEAD_ROWS * outbox)
    assert_flat(soak)
    assert_all_ended(soak, database)


@pytest.mark.full
@pytest.mark.timeout(2400)
def test_half_an_hour_of_five_times_the_load_leaves_nothing_behind(start_product: Callable[..., Product]) -> None:
    product = start_product(workers=2)
    database = Database(lambda: product.run["postgres"]["url"])
    soak = prepare_soak(product, database)
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
    for row in database.fetch(DEAD_ROWS):
        # By PostgreSQL's own settings a fifth of what lives may lie about dead, and what died in the last minute.
        assert row["dead"] <= THRESHOLD + 0.2 * row["alive"] + 90 * row["changed"] / 1800, row
