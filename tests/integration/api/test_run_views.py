"""What a run's detail says: why each step stands as it does, what it waits for, whose it is, where its time went."""

from typing import Any
from uuid import UUID

import pytest

from engine.core.events import ErrorInfo as Error
from engine.core.events import (
    Origin,
    RunEvent,
    RunFailed,
    RunHeld,
    RunResumed,
    RunRetried,
    RunSignalled,
    RunSucceeded,
    RunWaiting,
    StepCancelled,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from engine.infra.ids import new_id
from tests.integration.api.callers import Api, Caller
from tests.integration.api.histories import (
    Histories,
    at,
    failed,
    items,
    queued,
    retrying,
    started,
    succeeded,
)

HTTP = {"method": "GET", "url": "https://shop.example/{{ input.n }}"}
PARTS = ("queued_ms", "limited_ms", "running_ms", "backing_off_ms", "waiting_ms", "ended_ms")


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


def http(step_id: str, *after: str, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "http", "with": HTTP, "after": list(after), **fields}


def by_id(run: Any) -> dict[str, Any]:
    return {step["id"]: step for step in run["steps"]}


def parts_of(time: Any) -> dict[str, int]:
    assert time["total_ms"] == sum(time[part] for part in PARTS)
    return {part: time[part] for part in PARTS if time[part]}


async def test_every_step_says_why_it_stands_as_it_does(histories: Histories) -> None:
    definition = {
        "steps": [
            http("fetch"),
            {"id": "large", "type": "if", "with": {"condition": "steps.fetch.output.total > 100"}, "after": ["fetch"]},
            http("tell", "large.true"),
            http("log", "tell"),
            {"id": "kind", "type": "switch", "with": {"cases": {"new": "input.n < 10"}}, "after": ["large.false"]},
            http("greet", "kind.new"),
            http("join", "tell", "log", join="any"),
            http("last", "greet"),
        ]
    }
    events: list[RunEvent] = [
        queued(),
        started(),
        succeeded("fetch", 3, begin=1, output={"total": 7}),
        succeeded("large", 3, output=False, port="false", reason="condition_false"),
        StepSkipped(at=at(3), step="tell", because="large.true", reason="port_not_taken"),
        StepSkipped(at=at(3), step="log", because="tell", reason="dependency_skipped"),
        StepSkipped(at=at(3), step="join", because="tell", reason="nothing_satisfied"),
        succeeded("kind", 3, output="new", port="new", reason="case_matched"),
        retrying("greet", 4, 9, begin=3),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events)}")
    steps = by_id(run)
    told = {step_id: step["explanation"] for step_id, step in steps.items()}
    condition = "the condition of 'large' (`steps.fetch.output.total > 100`) was false"
    assert told == {
        "fetch": "It started with the run, as it waits for no other step. It succeeded: its work is done.",
        "large": f"It ran because 'fetch' succeeded. T{condition[1:]}.",
        "tell": f"It was skipped because it waits for 'large.true', and {condition}.",
        "log": "It was skipped because it waits for 'tell', and 'tell' was skipped, "
        f"which waits for 'large.true', and {condition}.",
        "kind": f"It ran because {condition}. The case 'new' of 'kind' (`input.n < 10`) is the first true one.",
        "greet": "It ran because the case 'new' of 'kind' (`input.n < 10`) is the first true one. "
        "Attempt 1 failed (the target answered 503): the target answered with a status that is retried; "
        "the next one is due 2027-01-01T00:00:09.000Z.",
        "join": "It was skipped because no entry of its `after` was satisfied: "
        "'tell' was skipped and 'log' was skipped.",
        "last": "It waits for 'greet'.",
    }
    assert steps["fetch"]["input"]["url"] == "https://shop.example/7"
    assert (steps["greet"]["status"], steps["last"]["status"]) == ("retrying", "pending")


async def test_failures_and_cancellations_are_explained(histories: Histories) -> None:
    definition = {"steps": [http("fetch"), http("other"), http("next", "fetch"), http("rescue", "other.error")]}
    events: list[RunEvent] = [
        queued(),
        started(),
        failed("other", message="no answer"),
        failed("fetch"),
        StepCancelled(at=at(2), step="next", reason="run_failed"),
        StepCancelled(at=at(2), step="rescue", reason="run_failed"),
        RunFailed(at=at(2), error=Error(code="broken", message="it is broken", step="fetch"), reason="step_failed"),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='failed')}")
    steps = by_id(run)
    assert steps["fetch"]["explanation"].endswith(
        "It failed, as the attempt failed in a way that is not retried: it is broken."
    )
    assert steps["next"]["explanation"] == "It was cancelled: the run failed."
    assert (run["status"], run["error"]["step"], run["reason"]) == ("failed", "fetch", "step_failed")


async def test_what_a_step_waits_for_is_told(histories: Histories, owner: Caller) -> None:
    definition = {
        "steps": [
            {"id": "pause", "type": "delay", "with": {"seconds": 60}},
            {"id": "paid", "type": "wait", "with": {"signal": "paid"}},
            {"id": "ask", "type": "approval", "with": {"message": "Go?"}},
            {"id": "call", "type": "workflow", "with": {"workflow_id": str(new_id())}},
        ]
    }
    child = new_id()
    events: list[RunEvent] = [
        queued(),
        started(),
        StepWaiting(at=at(1), step="pause", due_at=at(61), reason="delay"),
        StepWaiting(at=at(1), step="paid", due_at=None, reason="signal", signal="paid"),
        StepWaiting(at=at(1), step="ask", due_at=at(90), reason="approval", message="Go?"),
        StepWaiting(at=at(1), step="call", due_at=None, reason="child", child_run_id=str(child)),
        RunWaiting(at=at(1), wake_at=at(61), reason="several"),
        RunSignalled(at=at(2), name="else", payload={"x": 1}),
    ]
    run_id = await histories.keep(definition, events, status="waiting")
    approval = new_id()
    await histories.execute(
        """
        INSERT INTO approval (id, workspace_id, run_id, step, message, created_at)
        VALUES ($1, $2, $3, 'ask', 'Go?', $4)
        """,
        approval,
        owner.workspace_id,
        UUID(run_id),
        at(1),
    )
    run = await histories.read(f"/v1/runs/{run_id}")
    waiting = {step["id"]: {k: v for k, v in step["waiting"].items() if v is not None} for step in run["steps"]}
    assert waiting == {
        "pause": {"reason": "delay", "due_at": "2027-01-01T00:01:01Z"},
        "paid": {"reason": "signal", "signal": "paid"},
        "ask": {
            "reason": "approval",
            "due_at": "2027-01-01T00:01:30Z",
            "message": "Go?",
            "approval_id": str(approval),
        },
        "call": {"reason": "child", "child_run_id": str(child)},
    }
    assert [
        step["explanation"].removeprefix("It started with the run, as it waits for no other step. ")
        for step in run["steps"]
    ] == [
        "It waits until 2027-01-01T00:01:01.000Z.",
        "It waits for the signal 'paid'.",
        "It waits for a decision on 'Go?', until 2027-01-01T00:01:30.000Z at the latest.",
        f"It waits for the end of the run {child}, which it started.",
    ]
    assert (run["status"], run["reason"], run["wake_at"]) == ("waiting", "several", "2027-01-01T00:01:01Z")
    # No such run is kept (any more).
    assert run["children"] == [{"run_id": str(child), "step": "call", "status": None}]


async def test_a_run_names_its_parent_its_origin_and_its_children(histories: Histories) -> None:
    definition = {"steps": [{"id": "call", "type": "workflow", "with": {"workflow_id": str(new_id())}}]}
    parent, origin = new_id(), new_id()
    child = await histories.keep({"steps": [http("a")]}, [queued()], status="queued")
    events: list[RunEvent] = [
        queued(origin=Origin(run_id=str(origin))),
        started(),
        StepWaiting(at=at(1), step="call", due_at=None, reason="child", child_run_id=child),
        succeeded("call", 5, reason="child_succeeded"),
        RunSucceeded(at=at(5), output=None, reason="completed"),
    ]
    columns = {"parent_run_id": parent, "parent_step": "each[3].call", "origin_run_id": origin, "is_test": True}
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='succeeded', **columns)}")
    assert run["parent"] == {"run_id": str(parent), "step": "each[3].call"}
    assert (run["origin_run_id"], run["is_test"]) == (str(origin), True)
    assert run["children"] == [{"run_id": child, "step": "call", "status": "queued"}]


async def test_a_run_tells_the_trace_that_it_was_started_in(histories: Histories) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    for traceparent, told in ((f"00-{trace_id}-00f067aa0ba902b7-01", trace_id), (None, None)):
        run_id = await histories.keep({"steps": [http("a")]}, [queued(traceparent=traceparent)], status="queued")
        assert (await histories.read(f"/v1/runs/{run_id}"))["trace_id"] == told


async def test_a_held_run_says_who_holds_its_slots(histories: Histories, owner: Caller) -> None:
    definition = {"steps": [http("a")]}
    holder = await histories.keep(definition, [queued(), started()], concurrency_key="k", slot_at=at(1))
    events: list[RunEvent] = [queued(), RunHeld(at=at(2), key="k", limit=1, holders=[holder])]
    held = await histories.keep(definition, events, status="queued", concurrency_key="k", concurrency_limit=1)
    await histories.execute(
        "UPDATE run SET workflow_id = (SELECT workflow_id FROM run WHERE id = $1) WHERE id = $2",
        UUID(held),
        UUID(holder),
    )
    run = await histories.read(f"/v1/runs/{held}")
    assert run["concurrency"] == {"key": "k", "limit": 1, "slot_at": None, "holders": [holder]}
    assert (run["status"], run["reason"]) == ("queued", "concurrency")
    assert run["steps"][0]["explanation"] == "The run has not started."
    assert (await histories.read(f"/v1/runs/{holder}"))["concurrency"]["slot_at"] == "2027-01-01T00:00:01Z"


async def test_time_is_split_and_adds_up_over_rounds(histories: Histories) -> None:
    definition = {
        "steps": [http("fetch"), {"id": "pause", "type": "delay", "with": {"seconds": 9}, "after": ["fetch"]}]
    }
    error = Error(code="broken", message="it is broken", step="fetch")
    events: list[RunEvent] = [
        queued(),
        RunHeld(at=at(1), key="k", limit=1, holders=[]),
        started(3),
        retrying("fetch", 5, 9, begin=3),
        failed("fetch", 10),
        StepCancelled(at=at(10), step="pause", reason="run_failed"),
        RunFailed(at=at(10), error=error, reason="step_failed"),
        RunRetried(at=at(20), attempt=2),
        started(22),
        succeeded("fetch", 25, begin=24, attempt=3, queued_ms=1500, limited_ms=1000),
        StepWaiting(at=at(25), step="pause", due_at=at(34), reason="delay"),
        RunWaiting(at=at(25), wake_at=at(34), reason="delay"),
    ]
    ended: list[RunEvent] = [
        *events,
        succeeded("pause", 34, reason="delay_elapsed"),
        RunResumed(at=at(34), reason="delay_elapsed"),
        RunSucceeded(at=at(34), output=None, reason="completed"),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, ended, status='succeeded', attempt=2)}")
    assert parts_of(run["time"]) == {
        "queued_ms": 1000 + 2000,
        "limited_ms": 2000 + 1000,
        # A worker that does not get round to it at once is no limit.
        "running_ms": 2000 + 1000 + 500 + 500 + 1000,
        "backing_off_ms": 4000,
        "waiting_ms": 9000,
        "ended_ms": 10_000,
    }
    fetch, pause = run["steps"]
    assert parts_of(fetch["time"]) == {
        "running_ms": 2000 + 1000,
        "backing_off_ms": 4000,
        "queued_ms": 1000 + 500,
        "ended_ms": 12_500,
        "limited_ms": 1000,
    }
    assert [(each["number"], each["queued_ms"], each["limited_ms"]) for each in fetch["attempts"]] == [
        (1, 0, 0),
        (3, 1500, 1000),
    ]
    assert fetch["status"] == "succeeded"
    assert fetch["error"] is None
    assert parts_of(pause["time"])["waiting_ms"] == 9000
    assert run["started_at"] == "2027-01-01T00:00:22Z"
    # What goes on is measured up to now.
    going_on = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='waiting', attempt=2)}")
    assert sum(parts_of(going_on["time"]).values()) == going_on["time"]["total_ms"]


async def test_the_detail_counts_items_and_leaves_iterations_out(histories: Histories) -> None:
    body = [http("get"), http("rescue", "get.error"), http("put", "get")]
    config = {"items": "[1, 2, 3, 4]", "on_item_error": "continue"}
    definition = {"steps": [{"id": "each", "type": "foreach", "with": config, "steps": body}]}
    events: list[RunEvent] = [queued(), started(), items("each", 4)]
    for index, end in enumerate((3, 5)):
        path = f"each[{index}]"
        events.append(succeeded(f"{path}.get", end, begin=1))
        events.append(
            StepSkipped(at=at(end), step=f"{path}.rescue", because="get.error", reason="dependency_succeeded")
        )
        events.append(succeeded(f"{path}.put", end, begin=end) if index else failed(f"{path}.put", end))
    # Handled, so that it is no failure of the item.
    events.append(failed("each[2].get", 6))
    events.append(StepSkipped(at=at(6), step="each[2].put", because="get", reason="dependency_failed"))
    run_id = await histories.keep(definition, events)
    run = await histories.read(f"/v1/runs/{run_id}")
    (each,) = run["steps"]
    assert (each["items"], each["status"]) == ({"total": 4, "done": 2, "failed": 1}, "running")
    assert each["explanation"].endswith("2 of its 4 items are done, 1 of them failed.")
    assert run["last_seq"] == len(events)
    again = await histories.keep(definition, [*events, succeeded("each[2].rescue", 7, begin=6)])
    assert (await histories.read(f"/v1/runs/{again}"))["steps"][0]["items"]["done"] == 3


async def test_time_of_iterations_counts_for_the_run(histories: Histories) -> None:
    definition = {
        "steps": [{"id": "each", "type": "foreach", "with": {"items": "[1, 2]"}, "steps": [http("get")]}],
    }
    events: list[RunEvent] = [
        queued(),
        started(1),
        items("each", 2, 1),
        retrying("each[0].get", 2, 8, begin=1),
        # Its times stand behind an output that is too long to be read for them.
        succeeded("each[1].get", 4, begin=3, queued_ms=1000, limited_ms=1000, output='"started_at":"' * 2000),
        succeeded("each[0].get", 9, begin=8, attempt=2),
        succeeded("each", 9, output=[], reason="items_done"),
        RunSucceeded(at=at(9), output=None, reason="completed"),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='succeeded')}")
    assert parts_of(run["time"]) == {
        "queued_ms": 1000,
        "running_ms": 1000 + 1000 + 1000,
        "limited_ms": 1000,
        "backing_off_ms": 4000,
    }
    assert parts_of(run["steps"][0]["time"]) == {"running_ms": 8000}


async def test_a_broken_journal_is_shown_as_far_as_it_goes(histories: Histories) -> None:
    definition = {"steps": [http("a")]}
    events: list[RunEvent] = [
        queued(),
        started(),
        succeeded("a", begin=1),
        succeeded("gone", begin=1),
        RunSucceeded(at=at(2), output=None, reason="completed"),
        RunFailed(at=at(3), error=Error(code="internal_error", message="m"), reason="internal_error"),
    ]
    run = await histories.read(f"/v1/runs/{await histories.keep(definition, events, status='failed')}")
    assert run["steps"][0]["status"] == "succeeded"
    assert (run["status"], run["reason"], run["error"]) == ("succeeded", "completed", None)


async def test_runs_of_other_workspaces_are_not_found(histories: Histories, api: Api) -> None:
    run_id = await histories.keep({"steps": [http("a")]}, [queued()], status="queued")
    stranger = await api.sign_in()
    for path in ("", "/steps?parent=a", "/events", f"/payloads/{new_id()}"):
        assert (await stranger.client.get(f"/v1/runs/{run_id}{path}")).status_code == 404


async def test_of_many_children_of_a_loop_the_first_thousand_are_told(histories: Histories) -> None:
    call = {"id": "call", "type": "workflow", "with": {"workflow_id": str(new_id())}}
    definition = {"steps": [{"id": "each", "type": "foreach", "with": {"items": "input"}, "steps": [call]}]}
    ids = [str(new_id()) for _ in range(1005)]
    waits = [
        StepWaiting(at=at(2), step=f"each[{n}].call", due_at=None, reason="child", child_run_id=child)
        for n, child in enumerate(ids)
    ]
    run_id = await histories.keep(definition, [queued(), started(), items("each", len(ids)), *waits])
    run = await histories.read(f"/v1/runs/{run_id}")
    assert [child["run_id"] for child in run["children"]] == ids[:1000]
    assert run["children"][999] == {"run_id": ids[999], "step": "each[999].call", "status": None}


async def test_what_is_held_back_has_been_so_since_its_turn_came(histories: Histories) -> None:
    held = StepStarted(
        at=at(4), step="a", attempt=1, started_at=None, reason="held_back", queued_ms=1500, limited_ms=1500
    )
    times = {"queued_ms": 5500, "limited_ms": 5500}
    long = StepStarted(at=at(9), step="a", attempt=1, started_at=at(8), reason="long_running", **times)
    end = succeeded("a", 10, begin=8, **times)
    run_ids = [
        await histories.keep({"steps": [http("a")]}, [queued(), started(), *events])
        for events in ([held], [held, long], [held, long, end], [end])
    ]
    goes_on, runs, *ended = [(await histories.read(f"/v1/runs/{run_id}"))["steps"][0]["time"] for run_id in run_ids]
    # Up to now, which is long before the times of this history.
    assert (goes_on["total_ms"], goes_on["limited_ms"]) == (1500, 1500)
    assert (runs["limited_ms"], runs["running_ms"], runs["total_ms"]) == (5500, 1000, 6500)
    assert [(time["limited_ms"], time["running_ms"], time["total_ms"]) for time in ended] == [(5500, 2000, 7500)] * 2


async def test_what_waits_for_its_worker_alone_is_queued(histories: Histories) -> None:
    waiting = StepStarted(at=at(4), step="a", attempt=1, started_at=None, reason="held_back", queued_ms=1500)
    end = succeeded("a", 10, begin=8, queued_ms=5500)
    run_ids = [
        await histories.keep({"steps": [http("a")]}, [queued(), started(), *events])
        for events in ([waiting], [waiting, end], [end])
    ]
    goes_on, *ended = [(await histories.read(f"/v1/runs/{run_id}"))["steps"][0]["time"] for run_id in run_ids]
    assert (goes_on["total_ms"], goes_on["queued_ms"]) == (1500, 1500)
    assert [(time["queued_ms"], time["running_ms"], time["total_ms"]) for time in ended] == [(5500, 2000, 7500)] * 2
