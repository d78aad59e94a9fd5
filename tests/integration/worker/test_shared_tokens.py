"""Tokens that all processes share, over a real database and a real authorization server."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from engine.infra.access_tokens import AccessToken, AccessTokens, NeedsAuthorization
from engine.infra.credentials import AuthorizationCode, ClientCredentials
from engine.infra.database import create_pool
from engine.infra.envelopes import Envelopes
from engine.infra.http_client import HttpClient
from engine.infra.ids import new_id
from engine.infra.kept_connections import KeptConnection
from engine.infra.open_connections import ConnectionOpener
from engine.infra.secrets import SecretBox
from engine.infra.settings import Settings
from engine.infra.token_endpoint import Granted, TokenError
from engine.store.connection_tokens import TokenStore, forget_tokens, grant_tokens, list_grants
from engine.store.connections import CONNECTION_PURPOSE, place_of_secret, read_connection
from tests.e2e.authorization_server import CLIENT_ID, CLIENT_SECRET, AuthorizationServer

KEY = base64.b64encode(bytes(range(32))).decode()
BOTH = ("oauth2_client_credentials", "oauth2_authorization_code")
AGE = "UPDATE connection_token SET usable_until = now(), expires_at = now() + make_interval(secs => $2) "


class Process:
    """A process of the product: its own client and tokens, and a database that all share."""

    def __init__(self, http: HttpClient, pool: asyncpg.Pool, own: asyncpg.Pool) -> None:
        self.own = own

        async def connect() -> asyncpg.Pool:
            return pool

        self.store = TokenStore(connect)
        self._envelopes = Envelopes(SecretBox(KEY, CONNECTION_PURPOSE))
        self.tokens = AccessTokens(http, self._envelopes, self.store)

    async def get(self, kept: KeptConnection) -> AccessToken:
        """The token that an attempt gets which reads the connection now."""
        row = await read_connection(self.own, kept.workspace_id, kept.id)
        assert row is not None
        return await self.get_of(row.kept)

    async def get_of(self, kept: KeptConnection) -> AccessToken:
        client = ConnectionOpener(self._envelopes, self.tokens).read_secret(kept)
        assert isinstance(client, ClientCredentials | AuthorizationCode)
        return await self.tokens.get(kept, client)

    async def discard(self, kept: KeptConnection, token: AccessToken) -> bool:
        return await self.tokens.discard(kept, token)

    def hear_of_refusals(self) -> asyncio.Queue[bool]:
        """Whether each refusal that this process writes down from now on counts."""
        heard, refuse = asyncio.Queue[bool](), self.store.refuse

        async def refuse_and_tell(kept: KeptConnection, lease_id: UUID, failure: str) -> bool:
            counts = await refuse(kept, lease_id, failure)
            heard.put_nowait(counts)
            return counts

        self.store.refuse = refuse_and_tell  # type: ignore[method-assign]  # it still refuses
        return heard


class Floor:
    """Several processes, and a hand that makes connections and lets time pass."""

    def __init__(self, server: AuthorizationServer, processes: list[Process], pool: asyncpg.Pool) -> None:
        self.server = server
        self.processes = processes
        self.pool = pool
        self._box = Envelopes(SecretBox(KEY, CONNECTION_PURPOSE))

    async def connect(self, kind: str) -> KeptConnection:
        """A connection; where somebody has to sign in for it, somebody has, and all but the refresh token is spent."""
        workspace_id, connection_id = new_id(), new_id()
        secret = {**self.server.secret}
        if kind == "oauth2_client_credentials":
            del secret["authorize_url"]
        sealed = self._box.seal(msgspec.json.encode(secret), place_of_secret(workspace_id, connection_id, 1))
        await self.pool.execute("INSERT INTO workspace (id, name) VALUES ($1, 'w')", workspace_id)
        await self.pool.execute(
            """
            INSERT INTO connection (id, workspace_id, name, type, secret, wrapped_key, created_by, updated_by)
            VALUES ($1, $2, 'crm', $3, $4, $5, $1, $1)
            """,
            connection_id,
            workspace_id,
            kind,
            sealed.value,
            sealed.wrapped_key,
        )
        kept = await self.read(workspace_id, connection_id)
        if kind == "oauth2_authorization_code":
            await self.sign_in(kept)
        return kept

    async def read(self, workspace_id: UUID, connection_id: UUID) -> KeptConnection:
        row = await read_connection(self.pool, workspace_id, connection_id)
        assert row is not None
        return row.kept

    async def sign_in(self, kept: KeptConnection, left_seconds: float = 0.0) -> None:
        given = self.server.sign_in()
        told = Granted(left_seconds=left_seconds, scope=None, **given)
        new = self.processes[0].tokens.seal(kept, told)
        assert await grant_tokens(self.pool, kept, new, new_id())

    async def age(self, kept: KeptConnection, left_seconds: float = 0.0) -> None:
        """Let time pass until the token is to be replaced, and ends after so many seconds."""
        await self.pool.execute(f"{AGE} WHERE connection_id = $1", kept.id, left_seconds)

    async def until_asked(self, count: int = 1) -> None:
        """Until the token endpoint was asked so many times."""
        while len(self.server.asked) < count:
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def server() -> Iterator[AuthorizationServer]:
    with AuthorizationServer().running() as running:
        yield running


@pytest.fixture
async def floor(settings: Settings, server: AuthorizationServer) -> AsyncIterator[Floor]:
    settings = msgspec.structs.replace(settings, secret_key=KEY, http_allow_private="127.0.0.1")
    own = await create_pool(msgspec.structs.replace(settings, test_database_faults=""), name="test", size=2)
    pools = [await create_pool(settings, name=f"worker-{number}", size=2) for number in range(4)]
    async with HttpClient(settings) as http:
        processes = [Process(http, pool, own) for pool in pools]
        server.asked.clear()
        server.faults.clear()
        server.may_answer.set()
        server.protocol.expires_in = 3600
        server.protocol.reuses = 0
        try:
            yield Floor(server, processes, own)
        finally:
            server.may_answer.set()
            for process in processes:
                await process.tokens.close()
            for pool in (own, *pools):
                pool.terminate()


async def gather(processes: list[Process], work: Callable[[Process], Awaitable[Any]], times: int = 5) -> list[Any]:
    return await asyncio.gather(*(work(process) for process in processes for _ in range(times)))


@pytest.mark.parametrize("kind", BOTH)
async def test_a_token_is_asked_for_once_over_all_processes(floor: Floor, kind: str) -> None:
    kept = await floor.connect(kind)
    for round_number in (1, 2, 3):
        got = await gather(floor.processes, lambda process: process.get(kept))
        assert len({token.text for token in got}) == 1
        assert len(floor.server.asked) == round_number
        await floor.age(kept)
    # Each refresh token was sent once: a second time would have ended the grant.
    assert floor.server.protocol.reuses == 0
    sent = [asked.get("refresh_token") for asked in floor.server.asked]
    assert len(set(sent)) == (1 if kind == "oauth2_client_credentials" else 3)


@pytest.mark.parametrize("kind", BOTH)
async def test_tokens_are_kept_sealed_and_open_nowhere_else(floor: Floor, kind: str) -> None:
    kept, other = await floor.connect(kind), await floor.connect(kind)
    token = await floor.processes[0].get(kept)
    await floor.processes[0].get(other)
    row = await floor.pool.fetchrow("SELECT * FROM connection_token WHERE connection_id = $1", kept.id)
    assert not any(part in repr(dict(row)) for part in (token.text, token.refresh_token) if part)
    move = """
    UPDATE connection_token SET tokens = other.tokens, wrapped_key = other.wrapped_key, token_id = other.token_id
    FROM connection_token AS other WHERE connection_token.connection_id = $1 AND other.connection_id = $2
    """
    await floor.pool.execute(move, other.id, kept.id)
    if kind == "oauth2_authorization_code":
        with pytest.raises(NeedsAuthorization, match=r"belongs to another place; sign in again"):
            await floor.processes[1].get(other)
    else:
        # Nobody has to be asked for another one.
        assert (await floor.processes[1].get(other)).text not in {token.text, None}
        assert len(floor.server.asked) == 3


async def test_what_was_rotated_is_durable_before_it_is_used(floor: Floor) -> None:
    kept = await floor.connect("oauth2_authorization_code")
    process = floor.processes[0]
    token = await process.get(kept)
    # Another process, which has no memory of it, goes on from there.
    await floor.age(kept)
    assert (await floor.processes[1].get(kept)).text != token.text
    assert [asked["refresh_token"] for asked in floor.server.asked][1] == token.refresh_token


async def test_a_token_that_has_not_ended_is_used_while_another_process_asks(floor: Floor) -> None:
    kept = await floor.connect("oauth2_authorization_code")
    first = await floor.processes[0].get(kept)
    await floor.age(kept, 600.0)
    floor.server.may_answer.clear()
    asking = asyncio.create_task(floor.processes[0].get(kept))
    await floor.until_asked(2)
    assert [(await process.get(kept)).text for process in floor.processes[1:]] == [first.text] * 3
    floor.server.may_answer.set()
    assert (await asking).text != first.text
    assert len(floor.server.asked) == 2


async def test_who_died_while_it_asked_is_followed_by_another(floor: Floor) -> None:
    kept = await floor.connect("oauth2_client_credentials")
    floor.server.may_answer.clear()
    dead = asyncio.create_task(floor.processes[0].get(kept))
    await floor.until_asked()
    waiting = asyncio.create_task(floor.processes[1].get(kept))
    await floor.pool.execute("UPDATE connection_token SET lease_until = now() WHERE connection_id = $1", kept.id)
    await floor.until_asked(2)
    floor.server.may_answer.set()
    # The first answer is kept, and both have the same token.
    assert (await waiting).text == (await dead).text == (await floor.processes[2].get(kept)).text


async def test_a_lease_is_its_holders_and_once_it_has_ended_anybodys(floor: Floor) -> None:
    kept = await floor.connect("oauth2_client_credentials")
    first, second = new_id(), new_id()
    store = floor.processes[0].store
    # Where the answer was lost, the same is asked again.
    assert [await store.take_lease(kept, None, first, 600.0) for _ in range(2)] == [True, True]
    assert not await store.take_lease(kept, None, second, 600.0)
    await store.give_up(kept, second, "not mine to give")
    assert not await store.take_lease(kept, None, second, 600.0)
    await store.give_up(kept, first, "it did not answer")
    assert await store.take_lease(kept, None, second, 600.0)
    assert not await store.take_lease(kept, new_id(), second, 600.0)


async def test_a_refusal_behind_the_lease_takes_nothing_from_who_has_it_now(floor: Floor) -> None:
    kept = await floor.connect("oauth2_authorization_code")
    late, holder = floor.processes[0], floor.processes[1]
    floor.server.may_answer.clear()
    asking = asyncio.create_task(late.get(kept))
    await floor.until_asked()
    await floor.pool.execute("UPDATE connection_token SET lease_until = now() WHERE connection_id = $1", kept.id)
    seen = (await floor.read(kept.workspace_id, kept.id)).token
    assert seen is not None
    lease_id, hears = new_id(), late.hear_of_refusals()
    assert await holder.store.take_lease(kept, seen.token_id, lease_id, 600.0)
    floor.server.faults.append((400, {"error": "invalid_grant"}))
    floor.server.may_answer.set()
    assert await hears.get() is False
    row = "SELECT lease_id, refused_at FROM connection_token WHERE connection_id = $1"
    held = await floor.pool.fetchrow(row, kept.id)
    assert (held["lease_id"], held["refused_at"]) == (lease_id, None)
    given = Granted(left_seconds=3600.0, scope=None, **floor.server.sign_in())
    assert await holder.store.keep(kept, seen.token_id, holder.tokens.seal(kept, given, None))
    assert (await asking).text == given.access_token
    assert len(floor.server.asked) == 1


async def test_a_grant_that_is_refused_is_known_to_all_and_a_sign_in_mends_it(floor: Floor) -> None:
    kept = await floor.connect("oauth2_authorization_code")
    await floor.processes[0].get(kept)
    floor.server.revoke_all()
    await floor.age(kept)
    for process in floor.processes:
        with pytest.raises(NeedsAuthorization, match=r"invalid_grant.*sign in again"):
            await process.get(kept)
    assert len(floor.server.asked) == 2
    grant = (await list_grants(floor.pool, kept.workspace_id, [kept.id]))[kept.id]
    assert (grant.need, "invalid_grant" in (grant.failure or "")) == ("refused", True)
    # Who read it before the refusal asks for nothing more either.
    token = (await floor.read(kept.workspace_id, kept.id)).token
    assert token is not None
    assert not await floor.processes[0].store.take_lease(kept, token.token_id, new_id(), 600.0)
    await floor.sign_in(kept, 3600.0)
    assert (await list_grants(floor.pool, kept.workspace_id, [kept.id]))[kept.id].need is None
    assert {(await process.get(kept)).is_new for process in floor.processes} == {False}


async def test_an_endpoint_that_is_away_is_asked_again_and_takes_nothing_away(floor: Floor) -> None:
    kept = await floor.connect("oauth2_authorization_code")
    floor.server.faults += [(503, {}), (400, {"error": "invalid_client", "error_description": CLIENT_SECRET})]
    with pytest.raises(TokenError, match="but 503") as away:
        await floor.processes[0].get(kept)
    assert away.value.is_retryable
    with pytest.raises(TokenError, match=r"invalid_client: \[redacted\]"):
        await floor.processes[1].get(kept)
    grant = (await list_grants(floor.pool, kept.workspace_id, [kept.id]))[kept.id]
    assert (grant.need, CLIENT_SECRET in (grant.failure or "")) == (None, False)
    assert (await floor.processes[2].get(kept)).is_new


@pytest.mark.parametrize("kind", BOTH)
async def test_a_target_that_refuses_a_token_has_it_replaced_once(floor: Floor, kind: str) -> None:
    kept = await floor.connect(kind)
    new = await floor.processes[0].get(kept)
    assert await floor.processes[0].discard(kept, new) is False
    known = await floor.processes[1].get(kept)
    assert known.text == new.text
    refused = await gather(floor.processes, lambda process: process.discard(kept, known), times=2)
    assert refused == [True] * 8
    got = await gather(floor.processes, lambda process: process.get(kept))
    assert len({token.text for token in got}) == 1
    assert len(floor.server.asked) == 2
    # It is refused as well: the target has something against the client, not against a token.
    again = await floor.processes[2].get(kept)
    assert await floor.processes[2].discard(kept, again) is False


async def test_another_secret_ends_what_was_granted_to_the_old_one(floor: Floor) -> None:
    kept = await floor.connect("oauth2_authorization_code")
    floor.server.may_answer.clear()
    late = asyncio.create_task(floor.processes[0].get(kept))
    await floor.until_asked()
    secret = msgspec.json.encode({**floor.server.secret, "client_id": CLIENT_ID})
    sealed = Envelopes(SecretBox(KEY, CONNECTION_PURPOSE)).seal(secret, place_of_secret(kept.workspace_id, kept.id, 2))
    async with floor.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM connection WHERE id = $1 FOR UPDATE", kept.id)
        await forget_tokens(connection, kept.workspace_id, kept.id)
        await connection.execute(
            "UPDATE connection SET secret = $2, wrapped_key = $3, secret_version = 2, revision = 2 WHERE id = $1",
            kept.id,
            sealed.value,
            sealed.wrapped_key,
        )
    floor.server.may_answer.set()
    # The attempt that began before ends with what it began with, and leaves nothing.
    await late
    assert await floor.pool.fetchval("SELECT count(*) FROM connection_token WHERE connection_id = $1", kept.id) == 0
    with pytest.raises(NeedsAuthorization, match="nobody has signed in"):
        await floor.processes[1].get(kept)
    # What was read before the change cannot bring a row of the old secret back.
    assert not await floor.processes[2].store.take_lease(kept, None, new_id(), 1.0)


async def test_a_row_that_an_older_release_left_beside_another_secret_is_in_nobodys_way(floor: Floor) -> None:
    kept = await floor.connect("oauth2_client_credentials")
    first = await floor.processes[0].get(kept)
    await floor.pool.execute("UPDATE connection_token SET secret_version = 0 WHERE connection_id = $1", kept.id)
    assert (await floor.processes[1].get(kept)).text != first.text


async def test_a_connection_that_goes_while_its_token_is_waited_for_ends_the_wait(floor: Floor) -> None:
    kept = await floor.connect("oauth2_client_credentials")
    floor.server.may_answer.clear()
    asking = asyncio.create_task(floor.processes[0].get(kept))
    await floor.until_asked()
    waiting = asyncio.create_task(floor.processes[1].get_of(kept))
    await floor.pool.execute("DELETE FROM connection WHERE id = $1", kept.id)
    with pytest.raises(TokenError, match="changed or deleted meanwhile"):
        await waiting
    floor.server.may_answer.set()
    assert (await asking).is_new
