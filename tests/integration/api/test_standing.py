"""Live streams outlast the call that opened them, and end with what their reader came by: session, key, membership."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.auth import standing
from app.auth.permissions import Role
from app.runs import stream
from tests.integration.api.callers import Api, Caller
from tests.integration.api.histories import Histories, queued, started
from tests.integration.api.journals import CHAIN
from tests.product import PATIENCE_SECONDS

pytestmark = pytest.mark.without_faults("a stream that breaks is opened again by its reader")

Following = asyncio.Task[httpx.Response]
End = Callable[[Api, Caller, Caller], Awaitable[Any]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(stream, "POLL_SECONDS", 0.05)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def following(api: Api, *clients: httpx.AsyncClient, path: str = "/v1/stream") -> AsyncIterator[list[Following]]:
    """Streams that are open by now."""
    tasks = [asyncio.create_task(client.get(path)) for client in clients]
    try:
        await until(lambda: len(api.app.state.standing) == len(clients))
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _sign_out(_api: Api, _owner: Caller, caller: Caller) -> None:
    (await caller.client.post("/v1/auth/logout")).raise_for_status()


async def _remove(_api: Api, owner: Caller, caller: Caller) -> None:
    (await owner.client.delete(f"/v1/members/{caller.user_id}")).raise_for_status()


async def _switch_off(api: Api, _owner: Caller, caller: Caller) -> None:
    await _execute(api, "UPDATE user_account SET is_active = false WHERE id = :id", id=caller.user_id)


async def _expire(api: Api, _owner: Caller, caller: Caller) -> None:
    await _execute(api, "UPDATE user_session SET expires_at = now() WHERE user_id = :id", id=caller.user_id)


async def _execute(api: Api, statement: str, **values: Any) -> None:
    async with api.database.begin() as connection:
        await connection.execute(text(statement), values)


ENDS: dict[str, End] = {
    "signed out": _sign_out,
    "removed": _remove,
    "switched off": _switch_off,
    "expired": _expire,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_a_stream_ends_with_the_session_or_membership_of_its_reader(api: Api, owner: Caller, end: End) -> None:
    editor = await api.sign_in(Role.EDITOR, owner.workspace_id)
    other = await api.sign_in(Role.VIEWER, owner.workspace_id)
    async with following(api, editor.client, other.client) as (ended, going_on):
        await api.app.state.standing.look()
        assert not ended.done()
        await end(api, owner, editor)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await ended).status_code == 200
        await until(lambda: len(api.app.state.standing) == 1)
        await api.app.state.standing.look()
        assert not going_on.done()


async def _revoke(_api: Api, owner: Caller, _admin: Caller, key: dict[str, Any]) -> None:
    (await owner.client.delete(f"/v1/api-keys/{key['id']}")).raise_for_status()


async def _remove_maker(_api: Api, owner: Caller, admin: Caller, _key: dict[str, Any]) -> None:
    (await owner.client.delete(f"/v1/members/{admin.user_id}")).raise_for_status()


async def _expire_key(api: Api, _owner: Caller, _admin: Caller, key: dict[str, Any]) -> None:
    await _execute(api, "UPDATE api_key SET expires_at = now() WHERE name = :name", name=key["name"])


@pytest.mark.parametrize("end", [_revoke, _remove_maker, _expire_key], ids=["revoked", "maker removed", "expired"])
async def test_a_stream_ends_with_the_key_of_its_reader(
    api: Api, owner: Caller, end: Callable[[Api, Caller, Caller, dict[str, Any]], Awaitable[None]]
) -> None:
    admin = await api.sign_in(Role.ADMIN, owner.workspace_id)
    made = (await admin.client.post("/v1/api-keys", json={"name": "ci", "role": "viewer"})).json()
    others = (await owner.client.post("/v1/api-keys", json={"name": "cd", "role": "viewer"})).json()
    clients = [api.client(key["secret"]) for key in (made, others)]
    async with following(api, *clients) as (ended, going_on):
        await end(api, owner, admin, made)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await ended).status_code == 200
        await api.app.state.standing.look()
        assert not going_on.done()


async def test_the_stream_of_a_run_ends_in_the_same_way(api: Api, owner: Caller, clean_database: str) -> None:
    run_id = await Histories(clean_database, owner).keep(CHAIN, [queued(), started()], status="waiting")
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    async with following(api, viewer.client, path=f"/v1/runs/{run_id}/stream") as (ended,):
        await _remove(api, owner, viewer)
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await ended
    assert "event: run.started" in answer.text


async def test_streams_go_on_while_the_database_is_away_for_a_moment_and_no_longer(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise ConnectionRefusedError("away")

    async with following(api, owner.client) as (going_on,):
        monkeypatch.setattr(api.app.state.standing, "look", fail)
        for _ in range(3):
            failed.clear()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await failed.wait()
        assert not going_on.done()
        monkeypatch.setattr(standing, "UNKNOWN_SECONDS", 0.0)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await going_on).status_code == 200
