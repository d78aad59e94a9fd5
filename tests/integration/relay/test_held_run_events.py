"""Run events that an event trigger holds back: by throttle, debounce and batch, each accounted for."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec
import pytest

from engine.infra.bell import HELD_CHANNEL
from engine.relay import events
from engine.relay.events import EventMatcher
from engine.store.trigger_payloads import list_received
from tests.integration.relay.outbox import Outbox
from tests.integration.relay.stage import Stage, listen, match, note_change
from tests.integration.relay.triggers import Workspace
from tests.integration.relay.yard import assert_accounted, let_pass, release_all

HOUR = 3600


async def release(workspace: Workspace, *, later: float = 0) -> None:
    """Release all that is due once so many seconds have gone by."""
    await let_pass(workspace.connection, later)
    await release_all(workspace.connection)


async def outcomes(workspace: Workspace, trigger_id: UUID) -> list[str]:
    return [outcome for outcome, _ in await workspace.receipts(trigger_id)]


async def reasons(workspace: Workspace, trigger_id: UUID) -> list[str]:
    """Why the trigger left events out, in the order in which it received them."""
    rows = await workspace.connection.fetch(
        "SELECT reason FROM inbound_event WHERE trigger_id = $1 AND reason IS NOT NULL ORDER BY received_at", trigger_id
    )
    return [row["reason"] for row in rows]


async def fail_all(stage: Stage, workflow_id: UUID, count: int) -> list[str]:
    return [str(await stage.fail(workflow_id)) for _ in range(count)]


async def test_a_throttle_starts_events_in_their_order_as_fast_as_it_lets_them(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    trigger_id = await listen(workspace, await workspace.publish(), throttle={"limit": 2, "per": 60})
    failed = await fail_all(stage, await workspace.publish(), 5)
    assert await match(matcher, workspace.connection) == 0, "all of them wait for their turn"
    known: set[str] = set()
    for turn, later in ((failed[:2], 0), (failed[2:4], 61), (failed[4:], 61)):
        await release(workspace, later=later)
        runs = await workspace.runs(trigger_id)
        heard = {run["event"]["run_id"] for run in runs}
        assert heard - known == set(turn)
        known = heard
        assert {(run["run_type"], run["depth"]) for run in runs} == {("event", 1)}
        await assert_accounted(
            workspace.connection, workspace.id, accepted=5, started=len(known), pending=5 - len(known)
        )


async def test_a_debounce_starts_one_run_with_the_last_event_and_all_receipts_name_it(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    trigger_id = await listen(workspace, await workspace.publish(), debounce={"period": 60})
    failed = await fail_all(stage, await workspace.publish(), 3)
    await match(matcher, workspace.connection)
    await release(workspace)
    assert await outcomes(workspace, trigger_id) == ["pending"] * 3
    await release(workspace, later=61)
    (run,) = await workspace.runs(trigger_id)
    assert run["event"]["run_id"] == failed[-1]
    assert await workspace.receipts(trigger_id) == [("started", run["run_id"])] * 3


async def test_a_batch_starts_one_run_that_sees_all_events_of_its_key(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    rule = {"size": 3, "period": HOUR, "key": "trigger.event.workflow_id"}
    trigger_id = await listen(workspace, await workspace.publish(), batch=rule)
    first, second = await workspace.publish(), await workspace.publish()
    failed = await fail_all(stage, first, 2)
    await fail_all(stage, second, 2)
    failed += await fail_all(stage, first, 1)
    await match(matcher, workspace.connection)
    await release(workspace)
    (run,) = await workspace.runs(trigger_id)
    assert [one["event"]["run_id"] for one in run["events"]] == failed
    assert (run["type"], run["run_type"], run["depth"], run["chain"]) == ("event", "event", 1, [str(trigger_id)])
    await assert_accounted(workspace.connection, workspace.id, accepted=5, started=3, pending=2)


async def test_no_trigger_that_led_to_any_event_of_a_batch_fires_for_its_run(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    watched, others, collecting = [await workspace.publish() for _ in range(3)]
    leading = await listen(workspace, others)
    rule = {"size": 2, "period": HOUR}
    collector = await listen(workspace, collecting, batch=rule, filter="trigger.event.run.trigger_type == 'event'")
    # The first of the batch is of a run to which the leading trigger led, the second one of another line.
    await stage.fail(watched)
    await match(matcher, workspace.connection)
    ((_, led),) = await workspace.receipts(leading)
    assert led is not None
    await stage.tell(others, led)
    lone = await stage.add_run(watched, trigger_type="event")
    await stage.tell(watched, lone)
    await match(matcher, workspace.connection)
    await release(workspace)
    (run,) = await workspace.runs(collector)
    assert set(run["chain"]) == {str(leading), str(collector)}
    assert run["depth"] == 2
    before = len(await workspace.runs(leading))
    await stage.tell(collecting, run["run_id"])
    assert await match(matcher, workspace.connection) == 0
    assert len(await workspace.runs(leading)) == before
    assert await reasons(workspace, leading) == ["event_loop"] * 2
    assert await reasons(workspace, collector) == ["event_loop"]


async def test_a_batch_of_many_lines_is_only_as_deep_as_the_deepest(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    collecting, after = await workspace.publish(), await workspace.publish()
    collector = await listen(workspace, collecting, event="run.cancelled", batch={"size": 6, "period": HOUR})
    next_one = await listen(workspace, after, workflow_id=str(collecting))
    watched = await workspace.publish()
    for number in range(6):
        following = await workspace.publish()
        await listen(workspace, following, workflow_id=str(watched), filter=f"trigger.event.seq == {number + 1}")
        failed = await stage.add_run(watched)
        await stage.tell(watched, failed, seq=number + 1)
        await match(matcher, workspace.connection)
        led = await workspace.connection.fetchval("SELECT id FROM run WHERE workflow_id = $1", following)
        await stage.tell(following, led, kind="run.cancelled")
    await match(matcher, workspace.connection)
    await release(workspace)
    (run,) = await workspace.runs(collector)
    assert (len(run["chain"]), run["depth"]) == (7, 2)
    await stage.tell(collecting, run["run_id"])
    assert await match(matcher, workspace.connection) == 1
    (last,) = await workspace.runs(next_one)
    assert last["depth"] == 3


async def test_a_key_that_fails_leaves_a_receipt_that_shows_why(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    trigger_id = await listen(
        workspace, await workspace.publish(), debounce={"period": 1, "key": "trigger.event.nothing"}
    )
    failed = await stage.fail(await workspace.publish())
    await match(matcher, workspace.connection)
    assert await reasons(workspace, trigger_id) == ["key_failed"]
    (received,) = await list_received(workspace.connection, trigger_id, workspace.id, limit=20)
    shown = msgspec.json.decode(received.filtered or b"{}")
    assert "nothing" in shown["message"]
    assert shown["trigger"]["event"]["run_id"] == str(failed)


async def test_what_is_more_than_a_trigger_may_hold_is_told_as_filtered_and_keeps_no_other_up(
    workspace: Workspace, stage: Stage
) -> None:
    rescue, watched = await workspace.publish(), await workspace.publish()
    full = await listen(workspace, rescue, debounce={"period": HOUR})
    free = await listen(workspace, rescue)
    matcher = EventMatcher(most_held=2)
    for _ in range(3):
        await stage.fail(watched)
        await match(matcher, workspace.connection)
    assert sorted(await outcomes(workspace, full)) == ["filtered", "pending", "pending"]
    assert await reasons(workspace, full) == ["too_many_held"]
    assert await outcomes(workspace, free) == ["started"] * 3
    # Once there is room again, it goes on.
    await release(workspace, later=HOUR + 1)
    await stage.fail(watched)
    await match(matcher, workspace.connection)
    assert sorted(await outcomes(workspace, full)) == ["filtered", "pending", "started", "started"]


async def test_an_event_that_comes_again_while_it_is_held_is_a_repeat(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    watched = await workspace.publish()
    trigger_id = await listen(workspace, await workspace.publish(), debounce={"period": 60})
    failed = await stage.fail(watched)
    await match(matcher, workspace.connection)
    await stage.tell(watched, failed)
    await match(matcher, workspace.connection)
    assert sorted(await outcomes(workspace, trigger_id)) == ["duplicate", "pending"]
    await release(workspace, later=61)
    assert len(await workspace.runs(trigger_id)) == 1


async def test_what_was_held_by_a_rule_that_had_just_been_taken_away_starts_at_once(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    watched = await workspace.publish()
    trigger_id = await listen(workspace, await workspace.publish(), debounce={"period": HOUR})
    await stage.fail(watched)
    await match(matcher, workspace.connection)
    # A change whose revision the relay has not seen when it takes the next event.
    await workspace.connection.execute(
        "UPDATE workflow_trigger SET config = $2, updated_at = clock_timestamp() WHERE id = $1",
        trigger_id,
        msgspec.json.encode({"event": "run.failed"}),
    )
    await stage.fail(watched)
    await match(matcher, workspace.connection)
    assert await outcomes(workspace, trigger_id) == ["pending"] * 2
    await release(workspace)
    assert await outcomes(workspace, trigger_id) == ["started"] * 2


async def test_events_that_wait_count_to_the_storm_that_they_are_of(
    workspace: Workspace, stage: Stage, matcher: EventMatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_FOLLOWING", 3)
    watched, led, collecting = [await workspace.publish() for _ in range(3)]
    first = await listen(workspace, led, workflow_id=str(watched))
    collector = await listen(workspace, collecting, workflow_id=str(led), batch={"size": 100, "period": HOUR})
    await stage.fail(watched)
    await match(matcher, workspace.connection)
    ((_, run_id),) = await workspace.receipts(first)
    assert run_id is not None
    for seq in range(5):
        await stage.tell(led, run_id, seq=10 + seq)
        await match(matcher, workspace.connection)
    assert sorted(await outcomes(workspace, collector)) == ["filtered"] * 2 + ["pending"] * 3
    assert await reasons(workspace, collector) == ["event_storm"] * 2


async def test_who_releases_hears_of_events_that_are_held_and_of_no_others(
    workspace: Workspace, stage: Stage, matcher: EventMatcher, outbox: Outbox
) -> None:
    heard: list[str] = []
    await workspace.connection.add_listener(HELD_CHANNEL, lambda *call: heard.append(call[2]))
    watched, rescue = await workspace.publish(), await workspace.publish()
    await listen(workspace, rescue)
    await stage.fail(watched)
    await match(matcher, workspace.connection)
    # Whatever was sent to a session has come to it with the answer to a later statement.
    await workspace.connection.execute("SELECT 1")
    assert heard == []
    await listen(workspace, rescue, throttle={"limit": 1, "per": 60})
    await stage.fail(watched)
    await match(matcher, workspace.connection)
    await workspace.connection.execute("SELECT 1")
    assert heard == [HELD_CHANNEL]


async def test_a_trigger_that_is_switched_off_meanwhile_keeps_what_it_held(
    workspace: Workspace, stage: Stage, matcher: EventMatcher
) -> None:
    trigger_id = await listen(workspace, await workspace.publish(), debounce={"period": 60})
    await stage.fail(await workspace.publish())
    await match(matcher, workspace.connection)
    await _switch(workspace.connection, [trigger_id], is_on=False)
    await release(workspace, later=61)
    assert await outcomes(workspace, trigger_id) == ["pending"]
    await _switch(workspace.connection, [trigger_id], is_on=True)
    await release(workspace)
    assert await outcomes(workspace, trigger_id) == ["started"]


async def _switch(connection: asyncpg.Connection, trigger_ids: Sequence[UUID], *, is_on: bool) -> None:
    """As the API does: relays read anew who listens, and what is held is looked at."""
    for trigger_id in trigger_ids:
        await connection.execute(
            "UPDATE workflow_trigger SET enabled = $2, updated_at = clock_timestamp() WHERE id = $1", trigger_id, is_on
        )
        await connection.execute("INSERT INTO held_review (trigger_id) VALUES ($1)", trigger_id)
    await note_change(connection)
