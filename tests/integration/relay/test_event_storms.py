"""However event triggers lead to each other, one event starts so many runs and no more."""

from typing import Any
from uuid import UUID

import pytest

from engine.infra.ids import new_id
from engine.relay import events
from engine.relay.events import EventMatcher
from engine.store.outbox import delete, take
from tests.integration.relay.stage import Stage, note_change

MOST = 20


class Storm:
    """Workflows that all listen to each other, and runs of theirs that all fail."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.workspace = stage.workspace
        self.matcher = EventMatcher()
        self.told: set[UUID] = set()

    async def listen(self, count: int) -> None:
        """So many workflows start with each failure."""
        for _ in range(count):
            await self.workspace.add_trigger(await self.workspace.publish(), "event", {"event": "run.failed"})
        await note_change(self.workspace.connection)

    async def add_run(self, **more: Any) -> UUID:
        """A run of a workflow of its own, that nothing led to unless told otherwise."""
        return await self.stage.add_run(await self.workspace.publish(), **more)

    async def tell(self, run_id: UUID) -> None:
        """Its failure, as a worker leaves it in the outbox."""
        self.told.add(run_id)
        await self.stage.tell(new_id(), run_id)

    async def go_on(self) -> int:
        """Start what listens, and let it fail, until nothing comes of it; how many runs were started."""
        connection, made = self.workspace.connection, 0
        while True:
            async with connection.transaction():
                rows = await take(connection, 100, [], 30)
                hits = await self.matcher.find(connection, rows) if rows else []
                made += await self.matcher.start(connection, hits) if hits else 0
                await delete(connection, [row.id for row in rows], 30)
            for run in await connection.fetch("SELECT id FROM run WHERE trigger_type = 'event' ORDER BY id"):
                if run["id"] not in self.told:
                    await self.tell(run["id"])
            if not rows:
                return made

    async def reasons(self) -> dict[str, int]:
        """What was cut off, by the reason."""
        rows = await self.workspace.connection.fetch(
            "SELECT reason, count(*) FROM inbound_event WHERE outcome = 'filtered' GROUP BY 1"
        )
        return {row["reason"]: row["count"] for row in rows}


@pytest.fixture
def storm(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Storm:
    monkeypatch.setattr(events, "MOST_FOLLOWING", MOST)
    return Storm(stage)


async def test_a_storm_of_events_is_cut_off_and_every_one_has_a_receipt_that_says_so(storm: Storm) -> None:
    # By their depth alone they would come to 6 + 30 + 120 + 360 + 720 runs.
    await storm.listen(6)
    await storm.tell(await storm.add_run())
    assert await storm.go_on() == 6 + MOST
    reasons = await storm.reasons()
    # Each run is told of once, and each of six hears of it: they start, or say why not.
    assert sum(reasons.values()) == 6 * (1 + 6 + MOST) - (6 + MOST)
    assert set(reasons) == {"event_loop", "event_storm"}
    roots = {run["root"] for run in await storm.workspace.runs() if run["run_type"] == "event"}
    assert len(roots) == 1, "all of them name the event with which it began"


async def test_a_storm_takes_nothing_from_the_events_of_others(storm: Storm) -> None:
    await storm.listen(4)
    first, second = await storm.add_run(), await storm.add_run()
    await storm.tell(first)
    assert await storm.go_on() == 4 + MOST
    await storm.tell(second)
    assert await storm.go_on() == 4 + MOST


async def test_lines_that_stay_short_are_not_cut_off_and_nothing_is_counted_for_what_leads_nowhere(
    storm: Storm,
) -> None:
    await storm.listen(1)
    for _ in range(3):
        await storm.tell(await storm.add_run())
    assert await storm.go_on() == 3
    assert await storm.reasons() == {"event_loop": 3}
    assert await storm.workspace.connection.fetchval("SELECT count(*) FROM event_line") == 0


async def test_who_starts_a_run_of_a_storm_again_begins_anew(storm: Storm) -> None:
    await storm.listen(5)
    await storm.tell(await storm.add_run())
    assert await storm.go_on() == 5 + MOST
    connection = storm.workspace.connection
    again = await connection.fetchval("SELECT id FROM run WHERE trigger_type = 'event' ORDER BY id LIMIT 1")
    run_id = await storm.add_run(trigger_type="event", origin_run_id=again)
    storm.told.add(run_id)
    await connection.execute(
        "INSERT INTO journal (run_id, seq, kind, at, payload) SELECT $1, 1, kind, at, payload FROM journal "
        "WHERE run_id = $2 AND seq = 1",
        run_id,
        again,
    )
    await storm.tell(run_id)
    assert await storm.go_on() == MOST
