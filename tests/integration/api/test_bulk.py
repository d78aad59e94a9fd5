"""One action on many runs over the API; no worker runs, so that what a call leaves behind stays as it is."""

import asyncio
import json
import time
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from app.auth.permissions import Role
from app.control import bulk as bulk_module
from engine.core.events import encode_event
from engine.infra.ids import new_id
from tests.integration.api.callers import Api, Caller
from tests.integration.api.histories import Histories, at, queued
from tests.integration.api.journals import BROKEN, CHAIN, fetch, problem
from tests.product import TRIES

BULK = "/v1/runs/bulk"
STATUSES = ("queued", "running", "waiting", "succeeded", "failed", "cancelled", "timed_out")

_MANY = """
INSERT INTO run (id, workspace_id, workflow_id, version_id, version, status, trigger_type, created_at, finished_at)
SELECT copy.id, $2, original.workflow_id, original.version_id, 1, original.status, 'api', now(), original.finished_at
FROM unnest($3::uuid[]) AS copy (id), run AS original WHERE original.id = $1
"""
_BEGINNINGS = """
INSERT INTO journal (run_id, seq, kind, at, payload)
SELECT copy.id, 1, 'run.queued', $2, $3 FROM unnest($1::uuid[]) AS copy (id)
"""


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


async def keep_each(histories: Histories) -> dict[str, str]:
    """A run in each status."""
    return {status: await histories.keep(CHAIN, BROKEN, status=status) for status in STATUSES}


async def keep_many(histories: Histories, owner: Caller, count: int, **beginning: Any) -> list[str]:
    """So many failed runs of one workflow, the newest first; `beginning` is of their first event."""
    original = await histories.keep(CHAIN, BROKEN, status="failed")
    ids = [new_id() for _ in range(count - 1)]
    await histories.execute(_MANY, UUID(original), owner.workspace_id, ids)
    await histories.execute(_BEGINNINGS, ids, at(0), encode_event(queued(**beginning)))
    return [str(run_id) for run_id in reversed(ids)] + [original]


async def act(caller: Caller, action: str, chosen: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a bulk call did."""
    answer = await caller.client.post(BULK, json={"action": action, "filter": chosen, **more})
    assert answer.status_code == 200, answer.text
    outcome: dict[str, Any] = answer.json()
    # Whatever happens, every run that matches is told of.
    assert outcome["matched"] == outcome["done"] + sum(outcome["skipped"].values())
    return outcome


@pytest.mark.parametrize(
    ("action", "fit"),
    [
        ("cancel", {"queued", "running", "waiting"}),
        ("retry", {"failed", "cancelled", "timed_out"}),
        ("rerun", {"succeeded", "failed", "cancelled", "timed_out"}),
    ],
)
async def test_an_action_is_done_to_the_runs_that_it_is_for_and_the_others_are_counted(
    owner: Caller, histories: Histories, action: str, fit: set[str]
) -> None:
    runs = await keep_each(histories)
    chosen = {"ids": list(runs.values())}
    told = await act(owner, action, chosen, dry_run=True)
    assert (told["matched"], told["done"], told["run_ids"], told["dry_run"]) == (7, len(fit), [], True)
    assert told["skipped"] == {status: 1 for status in STATUSES if status not in fit}
    assert len((await histories.read("/v1/runs"))["items"]) == 7
    done = await act(owner, action, chosen)
    assert (done["matched"], done["done"], done["skipped"]) == (7, len(fit), told["skipped"])
    assert done["next_cursor"] is None
    if action == "rerun":
        origins = [(await histories.read(f"/v1/runs/{run_id}"))["origin_run_id"] for run_id in done["run_ids"]]
        assert set(origins) == {runs[status] for status in fit}
    else:
        assert set(done["run_ids"]) == {runs[status] for status in fit}


async def test_a_cancel_lies_in_the_inbox_of_each_run(owner: Caller, histories: Histories, clean_database: str) -> None:
    runs = await keep_each(histories)
    await act(owner, "cancel", {"status": ["queued", "running", "waiting"]})
    rows = await fetch(clean_database, "SELECT run_id, kind, payload FROM inbox")
    assert {str(row["run_id"]) for row in rows} == {runs[status] for status in ("queued", "running", "waiting")}
    assert {row["kind"] for row in rows} == {"cancel"}
    assert json.loads(rows[0]["payload"]) == {"by": str(owner.user_id)}


async def test_what_a_retry_does_to_many_is_what_it_does_to_one(owner: Caller, histories: Histories) -> None:
    runs = await keep_many(histories, owner, 3)
    done = await act(owner, "retry", {"status": ["failed"]})
    assert set(done["run_ids"]) == set(runs)
    for run_id in runs:
        run = await histories.read(f"/v1/runs/{run_id}")
        assert (run["status"], run["attempt"]) == ("queued", 2)
    assert (await act(owner, "retry", {"ids": runs}))["skipped"] == {"queued": 3}


async def test_over_a_thousand_runs_take_several_calls(owner: Caller, histories: Histories) -> None:
    runs = await keep_many(histories, owner, 1003)
    chosen = {"status": ["failed"]}
    assert (await act(owner, "rerun", chosen, dry_run=True))["matched"] == 1003
    first = await act(owner, "rerun", chosen)
    assert (first["matched"], first["done"]) == (1000, 1000)
    rest = await act(owner, "rerun", chosen, cursor=first["next_cursor"])
    assert (rest["matched"], rest["done"], rest["next_cursor"]) == (3, 3, None)
    started = [*first["run_ids"], *rest["run_ids"]]
    assert len(set(started)) == 1003
    # In the order of the runs that they repeat.
    origins = [(await histories.read(f"/v1/runs/{started[place]}"))["origin_run_id"] for place in (0, 500, 1002)]
    assert origins == [runs[0], runs[500], runs[1002]]


async def test_the_filter_is_that_of_the_list(owner: Caller, histories: Histories) -> None:
    runs = await keep_each(histories)
    workflow_id = (await histories.read(f"/v1/runs/{runs['failed']}"))["workflow_id"]
    moment = "2020-01-01T00:00:00Z"

    async def count(**chosen: Any) -> int:
        return int((await act(owner, "rerun", chosen, dry_run=True))["matched"])

    assert await count(workflow_id=workflow_id) == 1
    assert await count(workflow_id=workflow_id, status=["succeeded"]) == 0
    assert await count(status=["failed", "running"]) == 2
    assert await count(status="failed") == 1
    assert await count(trigger_type="api") == 7
    assert await count(trigger_type="webhook") == 0
    assert await count(since=moment) == 7
    assert await count(until=moment) == 0
    assert await count(q=runs["failed"]) == 1
    assert await count(q="nowhere") == 0
    assert await count(ids=[runs["failed"], str(new_id())]) == 1


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"action": "rerun"}, "/filter", "required"),
        ({"action": "rerun", "filter": {}}, "/filter", "required"),
        ({"action": "rerun", "filter": {"q": None, "workflow_id": None}}, "/filter", "required"),
        ({"action": "rerun", "filter": {"q": ""}}, "/filter/q", "length"),
        ({"action": "rerun", "filter": {"q": "a\x00b"}}, "/filter/q", "format"),
        ({"action": "rerun", "filter": {"status": []}}, "/filter/status", "length"),
        ({"action": "rerun", "filter": {"status": ["ended"]}}, "/filter/status/0", "choice"),
        ({"action": "rerun", "filter": {"status": "ended"}}, "/filter/status", "choice"),
        ({"action": "rerun", "filter": {"ids": []}}, "/filter/ids", "length"),
        ({"action": "rerun", "filter": {"ids": ["x"]}}, "/filter/ids/0", "format"),
        ({"action": "rerun", "filter": {"since": "2027-01-01T00:00:00"}}, "/filter/since", "type"),
        ({"action": "rerun", "filter": {"since": "1960-01-01T00:00:00Z"}}, "/filter/since", "range"),
        ({"action": "rerun", "filter": {"workspace_id": str(new_id())}}, "/filter", "unknown_field"),
        ({"action": "delete", "filter": {"q": "x"}}, "/action", "choice"),
    ],
    ids=repr,
)
async def test_a_filter_that_means_nothing_is_refused(
    owner: Caller, histories: Histories, body: dict[str, Any], pointer: str, code: str
) -> None:
    await histories.keep(CHAIN, BROKEN, status="failed")
    answer = await owner.client.post(BULK, json=body)
    assert problem(answer) == (400, "invalid_request")
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert len((await histories.read("/v1/runs"))["items"]) == 1


async def test_a_cursor_of_others_is_refused(owner: Caller) -> None:
    answer = await owner.client.post(BULK, json={"action": "rerun", "filter": {"q": "x"}, "cursor": "x"})
    assert problem(answer) == (400, "invalid_cursor")


async def test_only_operators_act_and_only_in_their_own_workspace(
    api: Api, owner: Caller, histories: Histories, clean_database: str
) -> None:
    runs = await keep_each(histories)
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    operator = await api.sign_in(Role.OPERATOR, owner.workspace_id)
    other = await api.sign_in(Role.OWNER)
    body = {"action": "retry", "filter": {"ids": list(runs.values())}}
    assert problem(await api.client().post(BULK, json=body)) == (401, "missing_token")
    assert problem(await viewer.client.post(BULK, json=body)) == (403, "missing_permission")
    for action in ("cancel", "retry", "rerun"):
        for chosen in ({"ids": list(runs.values())}, {"trigger_type": "api"}, {"q": runs["failed"]}):
            assert (await act(other, action, chosen))["matched"] == 0
            assert (await act(other, action, chosen, dry_run=True))["matched"] == 0
    assert await fetch(clean_database, "SELECT FROM inbox") == []
    kept = await fetch(clean_database, "SELECT status, attempt FROM run")
    assert Counter(tuple(row) for row in kept) == Counter((status, 1) for status in STATUSES)
    assert (await act(operator, "retry", {"ids": list(runs.values())}))["done"] == 3


async def test_a_call_that_is_sent_again_under_its_key_starts_nothing_more(owner: Caller, histories: Histories) -> None:
    await keep_many(histories, owner, 5)
    body, key = {"action": "rerun", "filter": {"status": ["failed"]}}, {"idempotency-key": "bulk-1"}
    answers = [await owner.client.post(BULK, json=body, headers=key) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["done"] == 5
    assert len((await histories.read("/v1/runs"))["items"]) == 10


async def test_runs_of_a_deleted_workflow_are_skipped_by_a_rerun(owner: Caller, histories: Histories) -> None:
    runs = await keep_each(histories)
    workflow_id = (await histories.read(f"/v1/runs/{runs['failed']}"))["workflow_id"]
    await histories.execute("UPDATE workflow SET deleted_at = now() WHERE id = $1", UUID(workflow_id))
    outcome = await act(owner, "rerun", {"ids": [runs["failed"], runs["succeeded"]]})
    assert (outcome["done"], outcome["skipped"]) == (1, {"failed": 1})


async def test_runs_that_a_run_started_are_done_again_with_it_unless_they_are_meant(
    owner: Caller, histories: Histories
) -> None:
    parent = await histories.keep(CHAIN, BROKEN, status="failed")
    child = await histories.keep(
        CHAIN, BROKEN, status="failed", parent_run_id=UUID(parent), parent_step="a", trigger_type="workflow"
    )
    for action in ("retry", "rerun"):
        for chosen in ({"status": ["failed"]}, {"since": "2020-01-01T00:00:00Z"}):
            assert (await act(owner, action, chosen, dry_run=True))["matched"] == 1
        for meant in ({"ids": [child]}, {"trigger_type": "workflow"}):
            assert (await act(owner, action, meant, dry_run=True))["done"] == 1
    assert (await act(owner, "retry", {"status": ["failed"]}))["run_ids"] == [parent]
    running = await histories.keep(CHAIN, BROKEN, status="running", parent_run_id=UUID(parent), parent_step="a")
    assert (await act(owner, "cancel", {"status": ["running"]}))["run_ids"] == [running]


async def test_tests_of_drafts_are_meant_only_by_their_ids(owner: Caller, histories: Histories) -> None:
    run_id = await histories.keep(CHAIN, BROKEN, status="failed", is_test=True)
    assert (await act(owner, "rerun", {"status": ["failed"]}, dry_run=True))["matched"] == 0
    outcome = await act(owner, "rerun", {"ids": [run_id]})
    assert (await histories.read(f"/v1/runs/{outcome['run_ids'][0]}"))["is_test"]


async def test_a_call_reruns_as_much_as_is_good_for_its_memory(
    owner: Caller, histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_module, "MOST_BYTES", 250_000)
    monkeypatch.setattr(bulk_module, "BATCH_BYTES", 100_000)
    runs = await keep_many(histories, owner, 10, preset={"vars": {"large": "x" * 50_000}})
    seen, cursor, calls = [], None, 0
    while cursor is not None or not calls:
        outcome = await act(owner, "rerun", {"status": ["failed"]}, **({"cursor": cursor} if cursor else {}))
        assert outcome["matched"] <= 5
        seen += [(await histories.read(f"/v1/runs/{run_id}"))["origin_run_id"] for run_id in outcome["run_ids"]]
        cursor, calls = outcome["next_cursor"], calls + 1
    # One that is larger than a whole call may take goes alone.
    assert seen == runs
    assert calls == 3
    monkeypatch.setattr(bulk_module, "MOST_BYTES", 10)
    assert (await act(owner, "rerun", {"status": ["failed"]}))["matched"] == 1


async def test_others_are_served_while_large_runs_are_repeated(owner: Caller, histories: Histories) -> None:
    await keep_many(histories, owner, 200, preset={"vars": {"large": ["x" * 100] * 10_000}})
    gaps: list[float] = []

    async def feel() -> None:
        gaps.clear()
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    stops: list[float] = []
    # Bytes are passed on without being read: decoding them would hold the loop for seconds together, every time.
    while not stops or stops[-1] >= 0.5:
        assert len(stops) < TRIES, f"the event loop stood still for {stops} s"
        feeling = asyncio.create_task(feel())
        outcome = await act(owner, "rerun", {"status": ["failed"]})
        feeling.cancel()
        assert 50 < outcome["done"] < 70
        stops.append(max(gaps))
