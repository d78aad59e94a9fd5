"""A trigger whose events are held back, and a look at what became of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from engine.infra.ids import new_id
from engine.relay.releaser import release_due
from engine.store.accounts import sum_ingest
from engine.store.held_pieces import look_again
from engine.store.keeping import Kept, keep_events
from engine.triggers.flow import FlowConfig, make_hold

USER = new_id()

_EARLIER = """
UPDATE held_group SET due_at = due_at - $1::interval, first_at = first_at - $1::interval,
    last_at = last_at - $1::interval,
    starts = ARRAY(SELECT moment - $1::interval FROM unnest(starts) AS moment ORDER BY moment)
"""


async def let_pass(connection: asyncpg.Connection, seconds: float) -> None:
    """Let time go by for all that is held."""
    await connection.execute(_EARLIER, timedelta(seconds=seconds))


async def release_all(connection: asyncpg.Connection) -> None:
    """Release until nothing is due."""
    while await release_due(connection):
        pass


async def assert_accounted(connection: asyncpg.Connection, workspace_id: UUID, **expected: int) -> None:
    """Of the workspace's events nothing is lost and nothing doubled; so many have come to what."""
    _, ingest = await sum_ingest(connection, workspace_id, timedelta(days=1))
    assert {name: getattr(ingest, name) for name in expected} == expected
    assert ingest.drift == 0


class Yard:
    """The trigger, over one connection. Time goes by as `pass_` says."""

    def __init__(self, connection: asyncpg.Connection, url: str) -> None:
        self.connection = connection
        self.url = url
        self.workspace_id, self.workflow_id, self.trigger_id = new_id(), new_id(), new_id()

    async def open(self, **config: Any) -> None:
        """Publish a workflow with this trigger."""
        await self.connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", self.workspace_id)
        await self.connection.execute(
            "INSERT INTO workflow (id, workspace_id, name, definition, published_version, created_by, updated_by) "
            "VALUES ($1, $2, 'Orders', '{}', 1, $3, $3)",
            self.workflow_id,
            self.workspace_id,
            USER,
        )
        await self.connection.execute(
            "INSERT INTO workflow_version (id, workspace_id, workflow_id, version, definition, published_by) "
            "VALUES ($1, $2, $1, 1, '{}', $3)",
            self.workflow_id,
            self.workspace_id,
            USER,
        )
        await self.connection.execute(
            "INSERT INTO workflow_trigger (id, workspace_id, workflow_id, type, config, token) "
            "VALUES ($1, $2, $3, 'webhook', $4, $1::uuid::text)",
            self.trigger_id,
            self.workspace_id,
            self.workflow_id,
            msgspec.json.encode(config),
        )

    async def change(self, statement: str) -> None:
        """Change the trigger, as the API does: its groups are looked at anew."""
        await self.connection.execute(f"UPDATE workflow_trigger SET updated_at = clock_timestamp(), {statement}")  # noqa: S608 - a test's own
        await look_again(self.connection, self.trigger_id)

    async def hold(self, *bodies: Any, key: str | None = None) -> list[UUID]:
        """Accept events; their ids."""
        row = await self.connection.fetchrow(
            "SELECT config, updated_at, clock_timestamp() AS now FROM workflow_trigger WHERE id = $1", self.trigger_id
        )
        config = msgspec.json.decode(row["config"], type=FlowConfig)
        events = [
            Kept(
                event_id=new_id(row["now"]),
                workspace_id=self.workspace_id,
                workflow_id=self.workflow_id,
                trigger_id=self.trigger_id,
                trigger_updated_at=row["updated_at"],
                at=row["now"],
                hold=make_hold(config, {"body": body}),
                dedup_key=key,
                trigger=msgspec.json.encode({"type": "webhook", "body": body}),
            )
            for body in bodies
        ]
        outcomes = await keep_events(self.connection, events)
        assert [outcome.outcome for outcome in outcomes] == ["pending"] * len(events)
        return [event.event_id for event in events]

    async def pass_(self, seconds: float) -> None:
        """Let time go by for what is held."""
        await let_pass(self.connection, seconds)

    async def release(self) -> int:
        """Release until nothing is due; the runs that there are."""
        await release_all(self.connection)
        count: int = await self.connection.fetchval("SELECT count(*) FROM run")
        return count

    async def triggers(self) -> list[Any]:
        """What the runs see, in their order."""
        rows = await self.connection.fetch("SELECT payload FROM journal ORDER BY run_id")
        return [msgspec.json.decode(row["payload"])["trigger"] for row in rows]

    async def bodies(self) -> list[Any]:
        """The bodies that runs were started with, each one's in a list."""
        return [
            [event["body"] for event in trigger["events"]] if "events" in trigger else [trigger["body"]]
            for trigger in await self.triggers()
        ]

    async def outcomes(self, event_ids: Sequence[UUID]) -> list[tuple[str, UUID | None]]:
        """What the receipts say."""
        rows = await self.connection.fetch("SELECT id, outcome, run_id FROM inbound_event")
        found = {row["id"]: (row["outcome"], row["run_id"]) for row in rows}
        return [found[event_id] for event_id in event_ids]

    async def started(self) -> set[UUID]:
        """The events that have started a run."""
        rows = await self.connection.fetch("SELECT id FROM inbound_event WHERE outcome = 'started'")
        return {row["id"] for row in rows}

    async def left(self) -> tuple[int, int]:
        """How many events and groups are held."""
        row = await self.connection.fetchrow(
            "SELECT (SELECT count(*) FROM held_event) AS events, (SELECT count(*) FROM held_group) AS groups"
        )
        return row["events"], row["groups"]

    async def assert_accounted(self, **expected: int) -> None:
        """Nothing is lost and nothing doubled."""
        await assert_accounted(self.connection, self.workspace_id, **expected)

    def over(self, connection: asyncpg.Connection) -> "Yard":
        """The same trigger over another connection."""
        other = Yard(connection, self.url)
        other.workspace_id, other.workflow_id, other.trigger_id = self.workspace_id, self.workflow_id, self.trigger_id
        return other
