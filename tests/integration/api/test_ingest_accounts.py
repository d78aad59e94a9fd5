"""What was accepted equals what became of it, counted from two sides."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.auth.permissions import Role
from engine.infra.settings import Settings
from engine.worker.reconciler import Reconciler
from tests.integration.api.callers import Api, Caller
from tests.integration.api.hooks import Hook, open_hook, read_ingest


@pytest.fixture
async def hook(api: Api, owner: Caller) -> Hook:
    """A hook of the owner's workspace."""
    return await open_hook(api, owner)


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A look behind the API."""
    opened = await asyncpg.connect(settings.database_url)
    yield opened
    await opened.close()


async def age(connection: asyncpg.Connection, minutes: int) -> None:
    """Move everything that came in back in time, with its counts."""
    span = timedelta(minutes=minutes)
    await connection.execute("UPDATE ingest_tally SET minute = minute - $1::interval", span)
    await connection.execute("UPDATE ingest_minute SET minute = minute - $1::interval", span)
    rows = await connection.fetch("SELECT id FROM inbound_event")
    for row in rows:
        moved = UUID(int=row["id"].int - (int(span.total_seconds() * 1000) << 80))
        await connection.execute(
            "UPDATE inbound_event SET id = $2, received_at = received_at - $3::interval WHERE id = $1",
            row["id"],
            moved,
            span,
        )


async def test_every_accepted_event_is_in_the_accounts_as_what_it_became(owner: Caller, hook: Hook) -> None:
    for name in ("a", "b", "a", "c", "a"):
        assert (await hook.post({"n": 1}, webhook_id=name)).is_success
    assert await read_ingest(owner) == {
        "accepted": 5,
        "started": 3,
        "duplicate": 2,
        "filtered": 0,
        "pending": 0,
        "rejected": 0,
        "drift": 0,
    }


async def test_each_workspace_has_accounts_of_its_own(api: Api, owner: Caller, hook: Hook) -> None:
    await hook.post()
    other = await api.sign_in(Role.OWNER)
    assert (await read_ingest(other))["accepted"] == 0
    assert (await read_ingest(owner))["accepted"] == 1


async def test_the_accounts_stay_the_same_when_they_are_folded_and_settled(
    owner: Caller, hook: Hook, connection: asyncpg.Connection, settings: Settings
) -> None:
    for name in ("a", "b", "a"):
        await hook.post({}, webhook_id=name)
    await age(connection, 10)
    before = await read_ingest(owner)
    assert await Reconciler(settings).make_pass(connection) == 0
    assert await connection.fetchval("SELECT count(*) FROM ingest_tally") == 0
    assert await connection.fetchval("SELECT bool_and(is_settled) FROM ingest_minute") is True
    assert await read_ingest(owner) == before
    await hook.post({}, webhook_id="d")
    assert await read_ingest(owner) == {**before, "accepted": 4, "started": 3}


async def test_what_comes_late_into_a_settled_minute_is_counted_with_it(
    owner: Caller, hook: Hook, connection: asyncpg.Connection, settings: Settings
) -> None:
    first = UUID((await hook.post()).json()["event_id"])
    await age(connection, 10)
    await Reconciler(settings).make_pass(connection)
    await hook.post()
    await connection.execute("UPDATE ingest_tally SET minute = (SELECT minute FROM ingest_minute)")
    moved = UUID(int=first.int - (600_000 << 80) + 1)
    await connection.execute("UPDATE inbound_event SET id = $1 WHERE received_at > now() - interval '9 m'", moved)
    for _ in range(2):
        ingest = await read_ingest(owner)
        assert (ingest["accepted"], ingest["started"], ingest["drift"]) == (2, 2, 0)
        assert await Reconciler(settings).make_pass(connection) == 0


@pytest.mark.parametrize("is_settled", [False, True], ids=["at once", "after it was settled"])
async def test_a_receipt_that_is_lost_is_drift(
    owner: Caller, hook: Hook, connection: asyncpg.Connection, settings: Settings, is_settled: bool
) -> None:
    reconciler = Reconciler(settings)
    lost, _ = (await hook.post()).json()["event_id"], await hook.post()
    await age(connection, 10)
    if is_settled:
        await reconciler.make_pass(connection)
    await connection.execute("DELETE FROM inbound_event WHERE id = (SELECT min(id::text)::uuid FROM inbound_event)")
    assert lost
    if is_settled:
        # It is not looked at again so soon.
        await connection.execute("UPDATE ingest_minute SET counted_at = now() - interval '2 hours'")
    assert await reconciler.make_pass(connection) == 1
    ingest = await read_ingest(owner)
    assert (ingest["accepted"], ingest["started"], ingest["drift"]) == (2, 1, 1)


async def test_a_receipt_out_of_nothing_is_drift(owner: Caller, hook: Hook, connection: asyncpg.Connection) -> None:
    await hook.post()
    await connection.execute(
        "INSERT INTO inbound_event (id, workspace_id, trigger_id, outcome, received_at, is_tallied) "
        "SELECT overlay(id::text placing 'ffff' from 33)::uuid, workspace_id, trigger_id, outcome, received_at, true "
        "FROM inbound_event"
    )
    ingest = await read_ingest(owner)
    assert (ingest["accepted"], ingest["started"], ingest["drift"]) == (1, 2, 1)


async def test_a_window_leaves_out_what_came_before_it(
    owner: Caller, hook: Hook, connection: asyncpg.Connection
) -> None:
    await hook.post()
    await age(connection, 90)
    await hook.post()
    for window, accepted in (("60m", 1), ("2h", 2), ("1d", 2)):
        answer = await owner.client.get("/v1/stats", params={"window": window})
        assert answer.json()["ingest"]["accepted"] == accepted, window


@pytest.mark.parametrize("window", ["0m", "1w", "-5m", "400d", "", "h"])
async def test_a_window_that_is_none_is_refused(owner: Caller, window: str) -> None:
    answer = await owner.client.get("/v1/stats", params={"window": window})
    assert answer.status_code == httpx.codes.BAD_REQUEST, answer.text
    assert answer.json()["code"] == "invalid_request"


async def test_receipts_are_listed_the_newest_first_page_by_page(owner: Caller, hook: Hook) -> None:
    ids = [(await hook.post({}, webhook_id=name)).json()["event_id"] for name in ("a", "b", "a", "c", "d")]
    seen, cursor = [], None
    while True:
        query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = (await owner.client.get("/v1/events", params=query)).raise_for_status().json()
        seen += [item["id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == ids[::-1]


async def test_receipts_are_found_by_trigger_workflow_outcome_and_time(api: Api, owner: Caller, hook: Hook) -> None:
    other = await open_hook(api, owner)
    first = (await hook.post({}, webhook_id="a")).json()["event_id"]
    second = (await hook.post({}, webhook_id="a")).json()["event_id"]
    third = (await other.post({}, webhook_id="a")).json()["event_id"]
    moment = (await owner.client.get(f"/v1/events/{third}")).json()["received_at"]
    for query, expected in (
        ({"trigger_id": hook.trigger_id}, [second, first]),
        ({"workflow_id": other.workflow_id}, [third]),
        ({"outcome": "duplicate"}, [second]),
        ({"outcome": "duplicate,started"}, [third, second, first]),
        ({"outcome": "pending"}, []),
        ({"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}, []),
        ({"since": moment, "trigger_id": other.trigger_id}, [third]),
    ):
        page = (await owner.client.get("/v1/events", params=query)).raise_for_status().json()
        assert [item["id"] for item in page["items"]] == expected, query


async def test_a_list_with_a_wrong_filter_is_refused(owner: Caller) -> None:
    for query in ({"outcome": "lost"}, {"trigger_id": "x"}, {"since": "soon"}, {"cursor": "?"}, {"limit": 0}):
        assert (await owner.client.get("/v1/events", params=query)).status_code == httpx.codes.BAD_REQUEST, query


@pytest.mark.parametrize("path", ["/v1/events", "/v1/stats"])
async def test_accounts_are_for_members_of_the_workspace(api: Api, hook: Hook, path: str) -> None:
    event_id = (await hook.post()).json()["event_id"]
    assert (await api.client().get(path)).status_code == httpx.codes.UNAUTHORIZED
    stranger = await api.sign_in(Role.OWNER)
    assert (await stranger.client.get(f"/v1/events/{event_id}")).status_code == httpx.codes.NOT_FOUND
    assert (await stranger.client.get("/v1/events")).json()["items"] == []
