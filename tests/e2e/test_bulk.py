"""One action on many runs of the whole product."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from tests.e2e.client import Client, Document, Published
from tests.e2e.database import Database
from tests.e2e.steps import define, http, of_type
from tests.e2e.target import Reply, Target
from tests.product import wait_for

Publish = Callable[..., Published]
WAIT = of_type("wait", "wait", {"signal": "go"})
FAIL = of_type("fail", "no", {"message": "no"})


def act(client: Client, action: str, chosen: Document, **more: Any) -> Document:
    """What a bulk call did."""
    answer = client.http.post("/v1/runs/bulk", json={"action": action, "filter": chosen, **more})
    assert answer.status_code == 200, answer.text
    outcome: Document = answer.json()
    assert outcome["matched"] == outcome["done"] + sum(outcome["skipped"].values())
    return outcome


def start_many(client: Client, workflow: Published, count: int) -> list[str]:
    with ThreadPoolExecutor(4) as executor:
        return list(executor.map(lambda number: client.start(workflow.id, {"input": {"n": number}}), range(count)))


def count_runs(database: Database, workflow: Published) -> Counter[tuple[str, int]]:
    """How many runs of a workflow there are, by status and attempt."""
    statement = "SELECT status, attempt, count(*) FROM run WHERE workflow_id = $1 GROUP BY status, attempt"
    rows = database.fetch(statement, UUID(workflow.id))
    return Counter({(row["status"], row["attempt"]): row["count"] for row in rows})


def wait_for_runs(database: Database, workflow: Published, expected: dict[tuple[str, int], int]) -> None:
    wait_for(
        lambda: count_runs(database, workflow) == Counter(expected),
        what=f"{expected}, but {count_runs(database, workflow)}",
    )


def test_many_waiting_runs_are_cancelled_after_a_look_at_how_many(
    client: Client, publish_workflow: Publish, database: Database, stranger: Client
) -> None:
    workflow = publish_workflow(define(WAIT))
    runs = start_many(client, workflow, 30)
    for run_id in runs:
        client.wait_for_status(run_id, "waiting")
    done = client.finish(publish_workflow(define(FAIL)).id)
    chosen = {"ids": [*runs, done["id"]]}
    told = act(client, "cancel", chosen, dry_run=True)
    assert (told["done"], told["skipped"]) == (30, {"failed": 1})
    assert act(stranger, "cancel", chosen)["matched"] == 0
    assert count_runs(database, workflow) == {("waiting", 1): 30}
    outcome = act(client, "cancel", chosen)
    assert (set(outcome["run_ids"]), outcome["skipped"]) == (set(runs), {"failed": 1})
    wait_for_runs(database, workflow, {("cancelled", 1): 30})
    # Once more, there is nothing left to cancel.
    assert act(client, "cancel", {"workflow_id": workflow.id})["skipped"] == {"cancelled": 30}


def test_many_failed_runs_go_on_once_their_target_is_well(
    client: Client, publish_workflow: Publish, database: Database, target: Target
) -> None:
    target.plan("/a", Reply(status=404))
    workflow = publish_workflow(define(http("a", target.base + "/a")))
    runs = start_many(client, workflow, 25)
    wait_for_runs(database, workflow, {("failed", 1): 25})
    target.plan("/a", Reply())
    outcome = act(client, "retry", {"workflow_id": workflow.id, "status": ["failed", "timed_out"]})
    assert set(outcome["run_ids"]) == set(runs)
    wait_for_runs(database, workflow, {("succeeded", 2): 25})
    keys = Counter(call.key for call in target.received("/a"))
    assert set(keys.values()) == {2}


def test_over_a_thousand_runs_are_repeated_and_retried(
    client: Client, publish_workflow: Publish, database: Database
) -> None:
    workflow = publish_workflow(define(FAIL))
    start_many(client, workflow, 70)
    count = 70
    wait_for_runs(database, workflow, {("failed", 1): count})
    while count <= 1000:
        outcome = act(client, "rerun", {"workflow_id": workflow.id})
        assert (outcome["done"], outcome["next_cursor"]) == (count, None)
        count *= 2
        wait_for_runs(database, workflow, {("failed", 1): count})
    chosen = {"workflow_id": workflow.id, "status": ["failed"]}
    assert act(client, "retry", chosen, dry_run=True)["done"] == count
    first = act(client, "retry", chosen)
    rest = act(client, "retry", chosen, cursor=first["next_cursor"])
    assert [first["done"], rest["done"], rest["next_cursor"]] == [1000, count - 1000, None]
    wait_for_runs(database, workflow, {("failed", 2): count})


def test_a_bulk_rerun_keeps_the_input_of_each_run(client: Client, publish_workflow: Publish, target: Target) -> None:
    workflow = publish_workflow(define(http("a", target.base + "/{{ input.n }}"), output="{{ input.n }}"))
    runs = start_many(client, workflow, 5)
    for run_id in runs:
        client.wait_for_status(run_id, "succeeded")
    outcome = act(client, "rerun", {"ids": runs})
    outputs = [client.wait_for_status(run_id, "succeeded")["output"] for run_id in outcome["run_ids"]]
    assert sorted(outputs) == list(range(5))
    assert [len(target.received(f"/{n}")) for n in range(5)] == [2] * 5


def test_a_cancel_a_retry_and_a_rerun_at_once_leave_no_run_behind(
    client: Client, publish_workflow: Publish, database: Database
) -> None:
    workflow = publish_workflow(define(WAIT))
    start_many(client, workflow, 20)
    chosen = {"workflow_id": workflow.id}
    for _ in range(3):
        with ThreadPoolExecutor(4) as executor:
            list(executor.map(lambda action: act(client, action, chosen), ["cancel", "retry", "cancel", "retry"]))
    wait_for(
        lambda: (
            act(client, "cancel", chosen) and all(kind[0] == "cancelled" for kind in count_runs(database, workflow))
        ),
        what="end of every run",
    )
    assert count_runs(database, workflow).total() == 20
    for run in client.read("/v1/runs", workflow_id=workflow.id)["items"]:
        events = client.events(run["id"])
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        kinds = [event["type"] for event in events]
        assert kinds.count("run.cancelled") == run["attempt"]
        assert kinds.count("run.retried") == run["attempt"] - 1
