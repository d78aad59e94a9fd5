"""Signing in for a connection at another system, as a browser does it, against a real authorization server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import text

from app.auth.permissions import Role
from app.connections import authorizing
from engine.infra.settings import Settings
from engine.store.connection_tokens import grant_tokens
from tests.e2e.authorization_server import CLIENT_ID, CLIENT_SECRET, SCOPE, AuthorizationServer
from tests.integration.api.callers import Api, Caller, running

CALLBACK = "/v1/connections/oauth/callback"
KIND = "oauth2_authorization_code"

pytestmark = pytest.mark.without_faults("a sign-in ends once, also where the answer to its end is lost")


class SignIn(Struct):
    """A member, a connection of theirs, and the authorization server that it is for."""

    api: Api
    owner: Caller
    server: AuthorizationServer
    path: str

    async def begin(self, caller: Caller | None = None) -> str:
        """Where the browser goes."""
        answer = await (caller or self.owner).client.post(f"{self.path}/authorize")
        assert answer.status_code == 200, answer.text
        url: str = answer.json()["url"]
        return url

    async def come_back(self, url: str, *, deny: bool = False) -> str:
        """What the other system sends the browser back to: path and query."""
        async with httpx.AsyncClient() as browser:
            answer = await browser.get(url + ("&deny=1" if deny else ""))
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
        assert f"{back.scheme}://{back.netloc}" == self.api.settings.base_url
        assert back.path == CALLBACK
        return f"{back.path}?{back.query}"

    async def end(self, back: str, client: httpx.AsyncClient | None = None) -> dict[str, str]:
        """What the web app is told."""
        answer = await (client or self.owner.client).get(back)
        assert (answer.status_code, answer.content) == (303, b"")
        page = urlsplit(answer.headers["location"])
        assert (page.netloc, page.path) == ("", "/connections")
        told = {name: values[0] for name, values in parse_qs(page.query).items()}
        assert not any(part in answer.headers["location"] for part in (CLIENT_SECRET, *self.server.tokens))
        return told

    async def sign_in(self) -> dict[str, str]:
        return await self.end(await self.come_back(await self.begin()))

    async def state(self) -> dict[str, Any]:
        """What is shown of the sign-in, alone and in the list, which never holds a secret."""
        one, all_ = await self.owner.client.get(self.path), await self.owner.client.get("/v1/connections")
        for answer in (one, all_):
            assert not any(part in answer.text for part in (CLIENT_SECRET, *self.server.tokens))
        state: dict[str, Any] = one.json()["authorization"]
        assert [item["authorization"] for item in all_.json()["items"] if item["id"] == one.json()["id"]] == [state]
        return state

    async def entries(self) -> list[dict[str, Any]]:
        answer = await self.owner.client.get("/v1/audit", params={"action": "connection.authorized"})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest.fixture(scope="module")
def server() -> Iterator[AuthorizationServer]:
    with AuthorizationServer().running() as running_server:
        yield running_server


@pytest.fixture
async def sign_in(
    settings: Settings, clean_database: str, clean_redis: str, server: AuthorizationServer
) -> AsyncIterator[SignIn]:
    async with running(replace(settings, http_allow_private="127.0.0.1")) as api:
        server.protocol.redirect_uris = {api.settings.base_url + CALLBACK}
        server.protocol.expires_in = 3600
        server.issuers = [server.base]
        server.asked.clear()
        server.faults.clear()
        owner = await api.sign_in(Role.OWNER)
        body = {"name": "crm", "type": KIND, "secret": server.secret}
        made = await owner.client.post("/v1/connections", json=body)
        assert made.status_code == 201, made.text
        yield SignIn(api, owner, server, made.headers["location"])


async def test_a_sign_in_gives_tokens_and_says_so(sign_in: SignIn) -> None:
    before = await sign_in.state()
    redirect_uri = sign_in.api.settings.base_url + CALLBACK
    assert (before["status"], before["reason"], before["redirect_uri"]) == ("needed", "never", redirect_uri)
    url = await sign_in.begin()
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert query.keys() >= {"state", "code_challenge"}
    assert query["code_challenge_method"] == "S256"
    assert (query["prompt"], query["scope"], query["client_id"]) == ("consent", SCOPE, CLIENT_ID)
    (cookie,) = sign_in.owner.client.cookies.jar
    assert (cookie.has_nonstandard_attr("HttpOnly"), cookie.get_nonstandard_attr("SameSite")) == (True, "lax")
    told = await sign_in.end(await sign_in.come_back(url))
    assert told == {"connection": sign_in.path.rpartition("/")[2], "authorization": "granted"}
    assert not list(sign_in.owner.client.cookies.jar), "the cookie goes with its sign-in"
    (asked,) = sign_in.server.asked
    assert (asked["grant_type"], asked["redirect_uri"], len(asked["code_verifier"])) == (
        "authorization_code",
        redirect_uri,
        64,
    )
    after = await sign_in.state()
    assert (after["status"], after["reason"], after["scope"]) == ("granted", None, SCOPE)
    assert after["granted_by"] == str(sign_in.owner.user_id)
    assert after["expires_at"] > after["granted_at"]
    (entry,) = await sign_in.entries()
    assert (entry["outcome"], entry["actor"]["email"]) == ("done", sign_in.owner.email)
    assert entry["after"] == {"scope": SCOPE, "is_refreshable": True, "secret_version": 1}
    tried = await sign_in.owner.client.post(f"{sign_in.path}/test", json={"url": f"{sign_in.server.base}/orders"})
    assert (tried.json()["ok"], tried.json()["status"]) == (True, 200)
    assert (await sign_in.owner.client.post(f"{sign_in.path}/test")).json()["ok"] is True
    assert len(sign_in.server.asked) == 1


async def test_a_state_is_good_once_even_for_who_comes_at_the_same_time(sign_in: SignIn) -> None:
    back = await sign_in.come_back(await sign_in.begin())
    clients = [sign_in.api.client() for _ in range(4)]
    for client in clients:
        client.cookies.update(sign_in.owner.client.cookies)
    told = await asyncio.gather(*(sign_in.end(back, client) for client in clients))
    assert sorted(each["authorization"] for each in told) == ["failed", "failed", "failed", "granted"]
    assert {each.get("code") for each in told} == {None, "sign_in_unknown"}
    assert len(sign_in.server.asked) == 1


async def test_another_browser_cannot_end_what_this_one_began(sign_in: SignIn) -> None:
    back = await sign_in.come_back(await sign_in.begin())
    told = await sign_in.end(back, sign_in.api.client())
    assert told["code"] == "sign_in_elsewhere"
    other_browser = sign_in.api.client()
    second = await sign_in.come_back(await sign_in.begin())
    for cookie in sign_in.owner.client.cookies.jar:
        other_browser.cookies.set(cookie.name, "a" * 64)
    assert (await sign_in.end(second, other_browser))["code"] == "sign_in_elsewhere"
    assert sign_in.server.asked == []
    assert (await sign_in.state())["status"] == "needed"


async def test_two_sign_ins_in_one_browser_do_not_disturb_each_other(sign_in: SignIn) -> None:
    first, second = await sign_in.begin(), await sign_in.begin()
    assert (await sign_in.end(await sign_in.come_back(second)))["authorization"] == "granted"
    assert (await sign_in.end(await sign_in.come_back(first)))["authorization"] == "granted"


async def test_a_sign_in_ends_with_the_session_that_began_it_and_its_rights(sign_in: SignIn) -> None:
    admin = await sign_in.api.sign_in(Role.ADMIN, sign_in.owner.workspace_id)
    back = await sign_in.come_back(await sign_in.begin(admin))
    changed = await sign_in.owner.client.patch(f"/v1/members/{admin.user_id}", json={"role": "editor"})
    assert changed.status_code == 200
    assert (await sign_in.end(back, admin.client))["code"] == "session_ended"
    other = await sign_in.api.sign_in(Role.ADMIN, sign_in.owner.workspace_id)
    back = await sign_in.come_back(await sign_in.begin(other))
    assert (await other.client.post("/v1/auth/logout")).status_code == 204
    assert (await sign_in.end(back, other.client))["code"] == "session_ended"
    assert sign_in.server.asked == []


async def test_a_sign_in_that_takes_too_long_is_unknown(sign_in: SignIn) -> None:
    back = await sign_in.come_back(await sign_in.begin())
    async with sign_in.api.database.begin() as connection:
        await connection.execute(text("UPDATE connection_authorization SET expires_at = now()"))
    assert (await sign_in.end(back))["code"] == "sign_in_unknown"


@pytest.mark.parametrize("query", ["", "?state=", "?state=x&state=y&code=z", "?state=x&code=z&more=1", "?error=x"])
async def test_whatever_else_comes_back_is_a_sign_in_that_is_unknown(sign_in: SignIn, query: str) -> None:
    assert await sign_in.end(CALLBACK + query) == {"authorization": "failed", "code": "sign_in_unknown"}


async def test_a_secret_that_changes_meanwhile_ends_sign_in_and_tokens(sign_in: SignIn) -> None:
    back = await sign_in.come_back(await sign_in.begin())
    changed = await sign_in.owner.client.patch(sign_in.path, json={"secret": sign_in.server.secret})
    assert changed.status_code == 200, changed.text
    assert (await sign_in.end(back))["code"] == "connection_changed"
    await sign_in.sign_in()
    assert (await sign_in.state())["status"] == "granted"
    await sign_in.owner.client.patch(sign_in.path, json={"allowed_hosts": ["127.0.0.1"]})
    assert (await sign_in.state())["status"] == "granted"
    await sign_in.owner.client.patch(sign_in.path, json={"secret": sign_in.server.secret})
    assert (await sign_in.state())["reason"] == "never"
    tried = (await sign_in.owner.client.post(f"{sign_in.path}/test")).json()
    assert (tried["ok"], tried["code"]) == (False, "connection_needs_authorization")


BASE = "the base"
ANSWERED_BY: dict[str, tuple[str | None, list[str], bool]] = {
    "as the connection says": (f"{BASE}/realm", [f"{BASE}/realm"], True),
    "whatever the connection says": ("accounts.example", ["accounts.example"], True),
    "of the same origin": (None, [f"{BASE}/realm"], True),
    "nobody, and nobody is expected": (None, [], True),
    "another system": (None, ["https://accounts.example"], False),
    "another port": (None, ["http://127.0.0.1:9"], False),
    "no address": (None, ["accounts.example"], False),
    "two": (None, [BASE, BASE], False),
    "two of one": (f"{BASE}/realm", [f"{BASE}/realm", f"{BASE}/realm"], False),
    "another of the same origin": (f"{BASE}/realm", [f"{BASE}/other"], False),
    "nearly the same": (f"{BASE}/realm", [f"{BASE}/realm/"], False),
    "nobody": (f"{BASE}/realm", [], False),
    "what no text holds": (None, ["\x00\ud800", ""], False),
}


@pytest.mark.parametrize(("expected", "told", "is_right"), ANSWERED_BY.values(), ids=ANSWERED_BY)
async def test_an_answer_counts_where_it_is_of_the_system_that_was_asked(
    sign_in: SignIn, expected: str | None, told: list[str], is_right: bool
) -> None:
    base = sign_in.server.base
    sign_in.server.issuers = [issuer.replace(BASE, base).encode(errors="replace").decode() for issuer in told]
    if expected is not None:
        secret = {**sign_in.server.secret, "issuer": expected.replace(BASE, base)}
        assert (await sign_in.owner.client.patch(sign_in.path, json={"secret": secret})).status_code == 200
    came = await sign_in.sign_in()
    if is_right:
        assert came["authorization"] == "granted"
        return
    assert (came["authorization"], came["code"]) == ("failed", "wrong_issuer")
    assert sign_in.server.asked == [], "the code of another system goes nowhere"
    state = await sign_in.state()
    assert (state["status"], "(iss)" in state["message"]) == ("needed", True)
    (entry,) = await sign_in.entries()
    assert (entry["outcome"], entry["after"]["code"]) == ("refused", "wrong_issuer")


async def test_an_error_of_another_system_is_told_as_what_it_is(sign_in: SignIn) -> None:
    sign_in.server.issuers = ["https://accounts.example"]
    came = await sign_in.end(await sign_in.come_back(await sign_in.begin(), deny=True))
    assert came["code"] == "wrong_issuer"


async def test_a_scope_that_holds_secrets_or_what_no_text_holds_is_shown_without(sign_in: SignIn) -> None:
    told = {
        "access_token": "acc355-t0ken",
        "refresh_token": "r3fresh-t0ken",
        "scope": f"a\x00b {CLIENT_SECRET} acc355-t0ken r3fresh-t0ken c",
    }
    sign_in.server.faults.append((200, told))
    assert (await sign_in.sign_in())["authorization"] == "granted"
    assert (await sign_in.state())["scope"] == "a\ufffdb [redacted] [redacted] [redacted] c"
    (entry,) = await sign_in.entries()
    assert "t0ken" not in str(entry)


async def test_who_says_no_is_told_so_and_what_was_granted_before_stays(sign_in: SignIn) -> None:
    await sign_in.sign_in()
    told = await sign_in.end(await sign_in.come_back(await sign_in.begin(), deny=True))
    assert (told["authorization"], told["code"]) == ("failed", "denied")
    state = await sign_in.state()
    assert (state["status"], "access_denied" in state["message"]) == ("granted", True)
    refused, done = await sign_in.entries()
    assert (refused["outcome"], refused["after"]["code"], done["outcome"]) == ("refused", "denied", "done")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"error": "invalid_grant", "error_description": f"bad\x00 {CLIENT_SECRET}"}, "token_refused"),
        (200, {"error": "bad_verification_code"}, "token_refused"),
        (503, {}, "token_unavailable"),
    ],
)
async def test_why_there_is_no_token_is_told_without_secrets(
    sign_in: SignIn, status: int, body: dict[str, str], code: str
) -> None:
    sign_in.server.faults.append((status, body))
    assert (await sign_in.sign_in())["code"] == code
    state = await sign_in.state()
    assert (state["status"], f"but {status}" in state["message"]) == ("needed", True)
    (entry,) = await sign_in.entries()
    assert (entry["outcome"], entry["after"]["code"]) == ("refused", code)
    assert CLIENT_SECRET not in str(entry)


async def test_what_was_granted_is_kept_where_the_database_is_away_for_a_moment(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([ConnectionRefusedError("away"), TimeoutError("still")])

    async def grant(*arguments: Any) -> bool:
        for failure in failures:
            raise failure
        return await grant_tokens(*arguments)

    monkeypatch.setattr(authorizing, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(authorizing, "grant_tokens", grant)
    assert (await sign_in.sign_in())["authorization"] == "granted"
    assert (await sign_in.state())["status"] == "granted"
    assert (len(sign_in.server.asked), len(await sign_in.entries())) == (1, 1)


async def test_only_a_person_signs_in_and_only_where_somebody_has_to(sign_in: SignIn) -> None:
    key = await sign_in.owner.client.post("/v1/api-keys", json={"name": "k", "role": "admin"})
    answer = await sign_in.api.client(key.json()["secret"]).post(f"{sign_in.path}/authorize")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_session")
    body = {"name": "shop", "type": "bearer", "secret": {"token": "t0ken"}}
    other = (await sign_in.owner.client.post("/v1/connections", json=body)).headers["location"]
    answer = await sign_in.owner.client.post(f"{other}/authorize")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_signed_in_for")
    assert (await sign_in.owner.client.get(other)).json()["authorization"] is None


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("authorize_url", "javascript:alert(1)", "http:// or https://"),
        ("authorize_url", "https://a.example/#x", "fragment"),
        ("authorize_url", "https://a.example/?state=1&client_id=2", "client_id, state"),
        ("token_url", "ftp://a.example", "http:// or https://"),
    ],
)
async def test_addresses_that_cannot_be_used_are_told(sign_in: SignIn, field: str, value: str, told: str) -> None:
    body = {"name": "bad", "type": KIND, "secret": {**sign_in.server.secret, field: value}}
    answer = await sign_in.owner.client.post("/v1/connections", json=body)
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (f"/secret/{field}", "format")
    assert told in fault["message"]
    assert CLIENT_SECRET not in answer.text
