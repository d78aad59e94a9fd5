"""The death of relays: no due time and no event is lost, and none starts two runs."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest

from tests.e2e.client import Client, Document
from tests.e2e.database import Database
from tests.e2e.steps import define, of_type, transform
from tests.product import Product, wait_for

SCHEDULES = 10
FAILURES = 40


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product whose relay dies here."""
    return start_product()


def publish(client: Client, definition: Document) -> str:
    workflow_id: str = client.create_workflow(definition)["id"]
    assert client.http.post(f"/v1/workflows/{workflow_id}/publish").status_code == 201
    return workflow_id


def test_schedules_lose_and_double_no_due_time_when_relays_die(
    client: Client, product: Product, database: Database
) -> None:
    workflow_id = publish(client, define(transform("note", n=1)))
    config = {"every_seconds": 1, "missed": "run_all", "missed_limit": 1000}
    triggers = [client.add_trigger(workflow_id, config, type="schedule")["id"] for _ in range(SCHEDULES)]

    def count() -> int:
        rows = database.fetch("SELECT count(*) AS runs FROM run WHERE workflow_id = $1", workflow_id)
        return int(rows[0]["runs"])

    def has_more_than(before: int) -> bool:
        return count() > before

    for _ in range(4):
        before = count()
        product.kill("relay")
        wait_for(partial(has_more_than, before), what="run of a schedule after the death of a relay")
    for trigger_id in triggers:
        assert client.http.patch(f"/v1/triggers/{trigger_id}", json={"enabled": False}).status_code == 200
    rows = database.fetch(
        """
        SELECT run.trigger_id, dedup_key FROM inbound_event JOIN run ON run.id = run_id
        WHERE run.workflow_id = $1 AND outcome = 'started'
        """,
        workflow_id,
    )
    assert len(rows) == count()
    due: dict[str, list[datetime]] = {}
    for row in rows:
        due.setdefault(str(row["trigger_id"]), []).append(datetime.fromisoformat(row["dedup_key"].removeprefix("due:")))
    assert due.keys() == set(triggers)
    for times in due.values():
        assert all(later - earlier == timedelta(seconds=1) for earlier, later in pairwise(sorted(times)))


def test_events_are_neither_lost_nor_heard_twice_when_relays_die(
    client: Client, product: Product, database: Database
) -> None:
    failing = publish(client, define(of_type("fail", "stop", {"message": "no"})))
    rescue = publish(client, define(transform("note", n=1)))
    collecting = publish(client, define(transform("note", n="{{ size(trigger.events) }}")))
    config = {"event": "run.failed", "workflow_id": failing}
    client.add_trigger(rescue, config, type="event")
    client.add_trigger(collecting, {**config, "batch": {"size": 7, "period": 1}}, type="event")
    started = []
    for number in range(FAILURES):
        started.append(client.start(failing))
        if number % 10 == 5:
            product.kill("relay")

    def heard(workflow_id: str) -> list[str]:
        rows = database.fetch(
            """
            SELECT dedup_key FROM run JOIN inbound_event ON run_id = run.id
            WHERE run.workflow_id = $1 AND run.trigger_type = 'event'
            """,
            workflow_id,
        )
        return [row["dedup_key"].partition(":")[0] for row in rows]

    def has_heard_all(workflow_id: str) -> bool:
        return set(heard(workflow_id)) >= set(started)

    for workflow_id in (rescue, collecting):
        wait_for(partial(has_heard_all, workflow_id), what="a run for every failure")
        assert sorted(heard(workflow_id)) == sorted(started)
    rows = database.fetch(
        "SELECT payload FROM run JOIN journal ON run_id = run.id AND seq = 1 WHERE workflow_id = $1",
        collecting,
    )
    batches = [json.loads(row["payload"])["trigger"]["events"] for row in rows]
    assert sorted(one["event"]["run_id"] for batch in batches for one in batch) == sorted(started)
    assert max(map(len, batches)) <= 7
    assert client.read("/v1/stats")["ingest"]["drift"] == 0
