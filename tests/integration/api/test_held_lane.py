"""Events that are held back have a way of their own, and are no more than a trigger may hold."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import msgspec
import pytest

from engine.infra.settings import Settings
from engine.relay.releaser import release_due
from tests.integration.api.callers import Api, Caller, running
from tests.integration.api.hooks import Hook, open_hook, read_ingest
from tests.product import PATIENCE_SECONDS

MOST = 3
BLOCKED = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE '%api-held' AND wait_event_type = 'Lock')
"""


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(settings.database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def bounded(settings: Settings, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API, a trigger of which holds very few events."""
    async with running(msgspec.structs.replace(settings, held_events_per_trigger=MOST)) as opened:
        yield opened


async def test_what_starts_at_once_does_not_wait_for_a_group_that_somebody_has_locked(
    api: Api, owner: Caller, settings: Settings, database: asyncpg.Connection
) -> None:
    held = await open_hook(api, owner, {"throttle": {"limit": 1, "per": 3600}})
    plain, picky = await open_hook(api, owner), await open_hook(api, owner, {"filter": "false"})
    assert (await held.post()).status_code == httpx.codes.ACCEPTED
    observer = await asyncpg.connect(settings.database_url)
    try:
        async with database.transaction():
            await database.execute("SELECT FROM held_group FOR UPDATE")
            waiting = asyncio.create_task(held.post())
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await observer.fetchval(BLOCKED):
                    await asyncio.sleep(0.01)
                answers = [await plain.post(), await picky.post()]
            assert [answer.status_code for answer in answers] == [httpx.codes.ACCEPTED] * 2
            assert [answer.json()["run_id"] is None for answer in answers] == [False, True]
            assert not waiting.done()
        assert (await waiting).status_code == httpx.codes.ACCEPTED
    finally:
        await observer.close()
    ingest = await read_ingest(owner)
    assert (ingest["accepted"], ingest["pending"], ingest["drift"]) == (4, 2, 0)


async def test_a_trigger_is_changed_while_somebody_has_its_groups_locked(
    api: Api, owner: Caller, database: asyncpg.Connection
) -> None:
    hook = await open_hook(api, owner, {"debounce": {"period": 3600}})
    await hook.post()
    async with database.transaction():
        await database.execute("SELECT FROM held_group FOR UPDATE")
        await hook.change(config={})
        assert (await hook.post()).json()["run_id"] is not None
    while await release_due(database):
        pass
    ingest = await read_ingest(owner)
    assert (ingest["accepted"], ingest["started"], ingest["pending"], ingest["drift"]) == (2, 2, 0, 0)


@pytest.mark.without_faults("a count that fails lets a batch pass, and the bound is a little later")
async def test_a_trigger_that_holds_as_much_as_it_may_sends_its_callers_away_until_some_have_started(
    bounded: Api, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.runs.held_bound.FULL_SECONDS", 0.0)
    owner = await bounded.sign_in()
    full = await open_hook(bounded, owner, {"throttle": {"limit": 1, "per": 20}})
    other = await open_hook(bounded, owner, {"debounce": {"period": 3600}})
    answers = await asyncio.gather(*(full.post({"n": n}) for n in range(10)))
    refused = [answer for answer in answers if answer.status_code != httpx.codes.ACCEPTED]
    assert len(refused) == len(answers) - MOST
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_held")
        assert answer.headers["retry-after"] == "20"
    assert (await other.post()).status_code == httpx.codes.ACCEPTED
    assert await release_due(database)
    assert [(await full.post()).status_code for _ in range(2)] == [202, 429]
    ingest = await read_ingest(owner)
    assert (ingest["accepted"], ingest["started"], ingest["pending"], ingest["drift"]) == (5, 1, 4, 0)


async def test_a_refusal_for_want_of_room_is_listed_with_its_reason(bounded: Api) -> None:
    owner = await bounded.sign_in()
    full = await open_hook(bounded, owner, {"batch": {"size": 100, "period": 3600}})
    await _fill(full)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := await _list_rejected(owner)):
            await asyncio.sleep(0.05)
    assert set(found) == {"too_many_held"}


async def _fill(hook: Hook) -> None:
    """Post until there is no more room."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (answer := await hook.post()).status_code != httpx.codes.TOO_MANY_REQUESTS:
            assert answer.status_code == httpx.codes.ACCEPTED
    assert answer.headers["retry-after"] == "60", "no longer than a minute"


async def _list_rejected(owner: Caller) -> list[str]:
    answer = await owner.client.get("/v1/events", params={"outcome": "rejected"})
    return [receipt["reason"] for receipt in answer.raise_for_status().json()["items"]]


async def test_a_fault_in_counting_what_is_held_costs_nobody_an_event(
    bounded: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await bounded.sign_in()
    held, plain = await open_hook(bounded, owner, {"debounce": {"period": 3600}}), await open_hook(bounded, owner)

    async def fail(*_: object) -> None:
        raise ArithmeticError("a fault of ours")

    monkeypatch.setattr(bounded.app.state.runs._starter.held, "_refuse", fail)
    for hook in (held, plain, held):
        assert (await hook.post()).status_code == httpx.codes.ACCEPTED
    assert (await read_ingest(owner))["accepted"] == 3
