"""Event triggers over a real outbox: each event starts what listens once, and chains come to an end."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest
from redis.asyncio import Redis

from engine.infra.ids import new_id
from engine.infra.settings import Settings
from engine.relay import loop
from engine.relay.events import MOST_HITS, EventMatcher, Hit, count_fitting
from engine.store.outbox import OutboxRow
from engine.store.starts import Start
from engine.triggers.event import MAX_DEPTH
from engine.triggers.starting import make_start
from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.outbox import Outbox
from tests.integration.relay.stage import Stage, listen, match
from tests.integration.relay.triggers import Workspace
from tests.product import PATIENCE_SECONDS


async def test_an_event_starts_a_run_that_sees_it(workspace: Workspace, stage: Stage, matcher: EventMatcher) -> None:
    watched, rescue = await workspace.publish(), await workspace.publish()
    trigger_id = await listen(workspace, rescue)
    failed = await stage.fail(watched)
    assert await match(matcher, workspace.connection) == 1
    (run,) = await workspace.runs(trigger_id)
    assert (run["type"], run["run_type"], run["depth"]) == ("event", "event", 1)
    assert run["event"]["type"] == "run.failed"
    assert run["event"]["run_id"] == run["event"]["run"]["id"] == str(failed)
    assert run["event"]["error"] == {"code": "too_big", "message": "it is too big"}
    assert run["event"]["run"]["workflow_name"] == "w"
    assert await workspace.receipts(trigger_id) == [("started", run["run_id"])]


async def test_an_event_that_comes_again_starts_nothing_more(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    watched = await workspace.publish()
    trigger_id = await listen(workspace, await workspace.publish())
    failed = await stage.fail(watched)
    await stage.tell(watched, failed)
    await match(matcher, workspace.connection)
    await stage.tell(watched, failed)
    await match(matcher, workspace.connection)
    assert len(await workspace.runs(trigger_id)) == 1


async def test_a_trigger_hears_its_own_kind_of_event_and_workflow_alone(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    watched, other, rescue = [await workspace.publish() for _ in range(3)]
    chosen = await listen(workspace, rescue, workflow_id=str(watched))
    every = await listen(workspace, rescue)
    cancelled = await listen(workspace, rescue, event="run.cancelled")
    failed, elsewhere = await stage.fail(watched), await stage.fail(other)
    await match(matcher, workspace.connection)
    heard = {
        trigger: {run["event"]["run_id"] for run in await workspace.runs(trigger)}
        for trigger in (chosen, every, cancelled)
    }
    assert heard == {chosen: {str(failed)}, every: {str(failed), str(elsewhere)}, cancelled: set()}


async def test_another_workspace_hears_nothing(workspace: Workspace, stage: Stage, matcher: EventMatcher) -> None:
    stranger = await Workspace(workspace.connection).open()
    await listen(stranger, await stranger.publish())
    own = await listen(workspace, await workspace.publish())
    await stage.fail(await workspace.publish())
    assert await match(matcher, workspace.connection) == 1
    assert (len(await workspace.runs(own)), await stranger.runs()) == (1, [])


async def test_a_filter_decides_and_one_that_fails_leaves_a_receipt(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    rescue = await workspace.publish()
    wanted = await listen(workspace, rescue, filter="trigger.event.error.code == 'too_big'")
    unwanted = await listen(workspace, rescue, filter="trigger.event.error.code == 'other'")
    faulty = await listen(workspace, rescue, filter="trigger.event.nothing")
    await stage.fail(await workspace.publish())
    assert await match(matcher, workspace.connection) == 1
    assert [len(await workspace.receipts(trigger)) for trigger in (wanted, unwanted, faulty)] == [1, 0, 1]
    assert await workspace.receipts(faulty) == [("filtered", None)]
    reason = await workspace.connection.fetchval("SELECT reason FROM inbound_event WHERE trigger_id = $1", faulty)
    assert reason == "filter_failed"


async def test_a_trigger_hears_what_happens_after_its_creation_and_not_after_its_end(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    watched, rescue = await workspace.publish(), await workspace.publish()
    await stage.fail(watched)
    assert await match(matcher, workspace.connection) == 0
    trigger_id = await listen(workspace, rescue)
    await stage.fail(watched)
    assert await match(matcher, workspace.connection) == 1
    # Nobody has told the relay of this: what it keeps in memory is checked before anything starts.
    await workspace.connection.execute("UPDATE workflow_trigger SET enabled = false WHERE id = $1", trigger_id)
    await stage.fail(watched)
    assert await match(matcher, workspace.connection) == 0


async def test_an_unpublished_workflow_is_started_by_no_event(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    trigger_id = await listen(workspace, await workspace.publish(is_published=False))
    await stage.fail(await workspace.publish())
    assert await match(matcher, workspace.connection) == 0
    assert await workspace.receipts(trigger_id) == []


async def test_a_test_of_a_draft_starts_nothing(workspace: Workspace, stage: Stage, matcher: EventMatcher) -> None:
    await listen(workspace, await workspace.publish())
    await stage.fail(await workspace.publish(), is_test=True)
    assert await match(matcher, workspace.connection) == 0


async def test_a_trigger_is_not_started_again_by_its_own_run(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    watched, rescue = await workspace.publish(), await workspace.publish()
    trigger_id = await listen(workspace, rescue)
    await stage.fail(watched)
    await match(matcher, workspace.connection)
    ((_, run_id),) = await workspace.receipts(trigger_id)
    assert run_id is not None
    # Now the run that it started fails as well, and so does one that this one had started by a step.
    await stage.tell(rescue, run_id)
    await stage.fail(watched, parent_run_id=run_id, trigger_type="workflow")
    assert await match(matcher, workspace.connection) == 0
    assert await workspace.receipts(trigger_id) == [("started", run_id), ("filtered", None), ("filtered", None)]
    rows = await workspace.connection.fetch("SELECT reason FROM inbound_event WHERE outcome = 'filtered'")
    assert {row["reason"] for row in rows} == {"event_loop"}


async def test_a_chain_of_events_is_cut_off_at_its_depth(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    first = await workspace.publish()
    watched, triggers = first, list[UUID]()
    for _ in range(MAX_DEPTH + 1):
        following = await workspace.publish()
        triggers.append(await listen(workspace, following, workflow_id=str(watched)))
        watched = following
    watched, run_id = first, await stage.fail(first)
    depths = []
    for trigger_id in triggers[:-1]:
        assert await match(matcher, workspace.connection) == 1
        (run,) = await workspace.runs(trigger_id)
        depths.append(run["depth"])
        run_id = run["run_id"]
        watched = await workspace.connection.fetchval("SELECT workflow_id FROM run WHERE id = $1", run_id)
        await stage.tell(watched, run_id)
    assert depths == list(range(1, MAX_DEPTH + 1))
    assert await match(matcher, workspace.connection) == 0
    assert await workspace.receipts(triggers[-1]) == [("filtered", None)]
    reason = await workspace.connection.fetchval("SELECT reason FROM inbound_event WHERE trigger_id = $1", triggers[-1])
    assert reason == "too_deep"


async def test_what_cannot_be_read_is_passed_over(
    workspace: Workspace, stage: Stage, outbox: Outbox, matcher: EventMatcher
) -> None:
    broken = await workspace.add_trigger(await workspace.publish(), "event", b"\xff")
    trigger_id = await listen(workspace, await workspace.publish())
    for payload in (b"", b"\xff", b"[]", b'{"type": 7}'):
        await outbox.add("event", payload, workspace_id=workspace.id)
    await stage.fail(await workspace.publish())
    # Of a run that is gone.
    await stage.tell(new_id(), new_id())
    assert await match(matcher, workspace.connection) == 1
    assert (len(await workspace.runs(trigger_id)), await workspace.runs(broken)) == (1, [])


async def test_an_event_that_cannot_be_started_keeps_no_other_from_its_turn(
    workspace: Workspace, stage: Stage, matcher: EventMatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = await listen(workspace, await workspace.publish()), await listen(workspace, await workspace.publish())

    def refuse(origin: Any, **more: Any) -> Start:
        start = make_start(origin, **more)
        return msgspec.structs.replace(start, key="\0") if origin.trigger_id == bad else start

    monkeypatch.setattr("engine.relay.events.make_start", refuse)
    for _ in range(3):
        await stage.fail(await workspace.publish())
    assert await match(matcher, workspace.connection) == 3
    assert (len(await workspace.runs(good)), len(await workspace.runs(bad))) == (3, 0)


async def test_nothing_more_is_asked_of_the_database_where_nobody_listens(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    await stage.fail(await workspace.publish())
    await match(matcher, workspace.connection)
    row = OutboxRow("event", workspace.id, new_id(), None, b'{"type": "run.failed"}', 0.0, 0)
    # With no connection at all: any query would fail.
    assert await matcher.find(None, [row]) == []


async def test_the_relay_starts_what_listens_and_publishes_it(
    workspace: Workspace, stage: Stage, outbox: Outbox, start_relay: StartRelay, redis: Redis
) -> None:
    trigger_id = await listen(workspace, await workspace.publish())
    watched = await workspace.publish()
    async with start_relay():
        for _ in range(20):
            await stage.fail(watched)
        async with asyncio.timeout(60):
            while len(await workspace.runs(trigger_id)) < 20:
                await asyncio.sleep(0.02)
        await outbox.until_empty(60)
    entries = await redis.xrange(f"ff:stream:{workspace.id}")
    # At least once each.
    published = {(event["type"], event["id"]) for event in (msgspec.json.decode(each[b"e"]) for _, each in entries)}
    assert sorted(kind for kind, _ in published) == ["run.failed"] * 20 + ["run.queued"] * 20


async def test_without_redis_an_event_starts_its_run_once_and_is_published_later(
    workspace: Workspace,
    stage: Stage,
    outbox: Outbox,
    start_relay: StartRelay,
    relay_settings: Settings,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So many that they come to several batches, and go on to be looked at after the last one.
    monkeypatch.setattr(loop, "BATCH_ROWS", 3)
    first, second = await workspace.publish(), await workspace.publish()
    triggers = [await listen(workspace, first), await listen(workspace, second, event="run.queued")]
    watched = await workspace.publish()
    for _ in range(7):
        await stage.fail(watched)
    away = msgspec.structs.replace(relay_settings, redis_url="redis://127.0.0.1:9/0")
    async with start_relay(away):
        async with asyncio.timeout(PATIENCE_SECONDS):
            # The runs of the first are started by what fails, those of the second by the first one's being queued.
            while [len(await workspace.runs(one)) for one in triggers] != [7, 7]:
                await asyncio.sleep(0.05)
        await stage.fail(watched)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while [len(await workspace.runs(one)) for one in triggers] != [8, 8]:
                await asyncio.sleep(0.05)
        assert await outbox.count() == 8 + 8 + 8, "what could not be published waits"
    async with start_relay():
        await outbox.until_empty(PATIENCE_SECONDS)
    assert [len(await workspace.runs(one)) for one in triggers] == [8, 8]
    # The second listens to its own runs as well, and is not started by them.
    assert {outcome for outcome, _ in await workspace.receipts(triggers[0])} == {"started"}
    outcomes = [outcome for outcome, _ in await workspace.receipts(triggers[1])]
    assert sorted(outcomes) == ["filtered"] * 8 + ["started"] * 8, "no event is heard twice"
    assert len(await redis.xrange(f"ff:stream:{workspace.id}")) >= 24


async def test_a_batch_that_would_start_too_much_is_cut_short_and_loses_nothing(
    workspace: Workspace, stage: Stage, outbox: Outbox, start_relay: StartRelay
) -> None:
    listeners = [await listen(workspace, await workspace.publish()) for _ in range(30)]
    watched = await workspace.publish()
    failed = [await stage.fail(watched) for _ in range(40)]
    assert len(listeners) * len(failed) > 2 * MOST_HITS
    async with start_relay():
        async with asyncio.timeout(120):
            while len(await workspace.runs()) < len(listeners) * len(failed):
                await asyncio.sleep(0.1)
        await outbox.until_empty(60)
    rows = await workspace.connection.fetch(
        "SELECT trigger_id, count(*) FROM run WHERE trigger_type = 'event' GROUP BY 1"
    )
    assert {row["trigger_id"]: row["count"] for row in rows} == dict.fromkeys(listeners, len(failed))


def test_as_many_rows_are_taken_as_start_few_enough_runs() -> None:
    rows = [OutboxRow("event", new_id(), new_id(), None, b"{}", 0.0) for _ in range(5)]
    listener: Any = None
    few = [Hit(listener, row) for row in rows for _ in range(MOST_HITS // 5)]
    many = [Hit(listener, row) for row in rows for _ in range(MOST_HITS // 2)]
    huge = [Hit(listener, rows[0])] * (MOST_HITS + 1)
    assert [count_fitting(rows, hits) for hits in ([], few, many, huge)] == [5, 5, 2, 1]
