"""Many webhooks at once: every one is accepted, every run ends, and the target sees each step exactly once."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.client import Client, Deliver
from tests.e2e.database import Database
from tests.e2e.steps import condition, define, delay, http
from tests.e2e.target import Target
from tests.product import wait_for

COUNT = 1000
SENDERS = 8


def test_a_burst_of_webhooks_is_worked_off_exactly_once(
    client: Client, deliver: Deliver, target: Target, database: Database
) -> None:
    with_ = {"json": {"n": "{{ trigger.body.n }}"}}
    workflow = client.publish(
        define(
            http("first", target.base + "/first", method="POST", with_=with_),
            condition("even", "trigger.body.n % 2 == 0", after=["first"]),
            delay("pause", 0.05, after=["even.true"]),
            http("last", target.base + "/even", method="POST", with_=with_, after=["pause"]),
            http("other", target.base + "/odd", method="POST", with_=with_, after=["even.false"]),
        )
    )
    with ThreadPoolExecutor(SENDERS) as threads:
        answers = list(threads.map(lambda n: deliver(workflow.hook, f'{{"n": {n}}}', webhook_id=f"d{n}"), range(COUNT)))
    assert Counter(answer.status_code for answer in answers) == {202: COUNT}
    assert len({answer.json()["run_id"] for answer in answers}) == COUNT

    def statuses() -> dict[str, int]:
        statement = "SELECT status, count(*) AS count FROM run WHERE workflow_id = $1 GROUP BY status"
        return {row["status"]: row["count"] for row in database.fetch(statement, uuid.UUID(workflow.id))}

    wait_for(lambda: statuses() == {"succeeded": COUNT}, what="end of all runs")
    numbers = {path: [request.json["n"] for request in target.received(path)] for path in ("/first", "/even", "/odd")}
    assert sorted(numbers["/first"]) == list(range(COUNT))
    assert sorted(numbers["/even"]) == list(range(0, COUNT, 2))
    assert sorted(numbers["/odd"]) == list(range(1, COUNT, 2))
    requests = target.received()
    assert len({request.key for request in requests}) == len(requests) == 2 * COUNT
    statement = "SELECT count(*) AS count FROM outbox WHERE workspace_id = $1"
    workspace_id = uuid.UUID(client.me()["workspace"]["id"])
    wait_for(lambda: database.fetch(statement, workspace_id) == [{"count": 0}], what="empty outbox")
