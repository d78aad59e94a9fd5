"""A running product keeps its database tidy by itself, and an `up` that was killed can still be backed up."""

import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.infra.ids import new_id
from tests.e2e.client import Client
from tests.e2e.database import Database
from tests.e2e.steps import define, transform
from tests.product import Product, run_command, wait_for


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    settings = {"FLOWFORGE_RETENTION_INTERVAL_SECONDS": "0.2", "FLOWFORGE_RETENTION_DAYS": "7"}
    running = Product(tmp_path / "data", workers=2, settings=settings)
    running.start()
    yield running
    running.stop()


def test_what_is_old_goes_while_the_product_runs(product: Product) -> None:
    database = Database(lambda: product.run["postgres"]["url"])
    receipt = (
        "INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, received_at) "
        "VALUES ($1, $1, $1, 'started', $2)"
    )
    for days in (8, 6):
        at = datetime.now(UTC) - timedelta(days=days)
        database.fetch(receipt, new_id(at), at)
    kept = "SELECT count(*) AS receipts FROM inbound_event"
    wait_for(lambda: database.fetch(kept)[0]["receipts"] == 1, what="deleted receipt")
    with closing(Client(product.url)) as opened:
        client = opened.sign_in()
        workflow = client.publish(define(transform("only", n=1)))
        assert client.finish(workflow.id)["status"] == "succeeded"
    _, metrics = product.get("/metrics")
    assert b"flowforge_retention_rows_total" in metrics
    name = "SELECT count(*) AS partitions FROM pg_inherits WHERE inhparent = 'run'::regclass"
    assert database.fetch(name)[0]["partitions"] >= 5


def test_a_product_that_was_killed_is_backed_up_from_its_folder(product: Product, tmp_path: Path) -> None:
    with closing(Client(product.url)) as opened:
        run_id = opened.sign_in().start(opened.publish(define(transform("only", n=1))).id)
        opened.wait_for_end(run_id)
    assert product.process is not None
    product.stop(signal.SIGKILL)
    file = tmp_path / "backup"
    answer = run_command("backup", str(file), "--data-dir", str(product.folder))
    assert answer.returncode == 0, answer.stderr
    assert "1 runs" in answer.stderr
    product.start()


def test_a_folder_without_a_database_is_told(tmp_path: Path) -> None:
    answer = run_command("backup", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "nothing"))
    assert answer.returncode == 2
    assert "holds no database" in answer.stderr
    assert list(tmp_path.iterdir()) == []
