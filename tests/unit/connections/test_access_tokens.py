"""Access tokens: asked for once, however many wait, and again before they end."""

import asyncio
from typing import Any, cast

import msgspec
import pytest

from engine.infra.access_tokens import AccessToken, AccessTokens, TokenError
from engine.infra.credentials import ClientCredentials
from engine.infra.http_client import HttpClient, HttpResponse
from engine.infra.http_errors import ConnectionFailedError

CLIENT = ClientCredentials(token_url="https://a.example/token", client_id="c", client_secret="cl13nt-s3cret")


class Endpoint:
    """A token endpoint: it counts the requests, and answers each once it may."""

    def __init__(self, **answer: Any) -> None:
        self.requests = 0
        self.now = 0.0
        self.status = 200
        self.answer: Any = {"expires_in": 600, **answer}
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def tokens(self) -> AccessTokens:
        return AccessTokens(cast("HttpClient", self), clock=lambda: self.now)

    async def request(self, _method: str, url: str, **_more: Any) -> HttpResponse:
        self.requests += 1
        number = self.requests
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        body = self.answer if isinstance(self.answer, bytes) else {"access_token": f"token-{number}", **self.answer}
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return HttpResponse(self.status, {}, raw, 1, url)


async def test_all_that_ask_at_a_time_get_one_token() -> None:
    endpoint = Endpoint()
    endpoint.may_answer.clear()
    tokens = endpoint.tokens()
    asking = [asyncio.create_task(tokens.get("key", CLIENT)) for _ in range(50)]
    while endpoint.requests == 0:
        await asyncio.sleep(0)
    endpoint.may_answer.set()
    assert {token.text for token in await asyncio.gather(*asking)} == {"token-1"}
    assert endpoint.requests == 1


async def test_one_that_is_broken_off_takes_the_token_from_nobody() -> None:
    endpoint = Endpoint()
    endpoint.may_answer.clear()
    tokens = endpoint.tokens()
    first, second = (asyncio.create_task(tokens.get("key", CLIENT)) for _ in range(2))
    while endpoint.requests == 0:
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    endpoint.may_answer.set()
    assert (await second).text == "token-1"
    assert endpoint.requests == 1


@pytest.mark.parametrize(
    ("expires_in", "last_use"),
    [(600, 540), (60, 54), (86_400, 86_340), ("600", 540), (None, 270), ("soon", 270), (True, 0.9)],
)
async def test_a_token_is_replaced_before_it_ends(expires_in: Any, last_use: float) -> None:
    endpoint = Endpoint(expires_in=expires_in)
    tokens = endpoint.tokens()
    assert (await tokens.get("key", CLIENT)).text == "token-1"
    endpoint.now = last_use - 0.01
    assert (await tokens.get("key", CLIENT)).text == "token-1"
    endpoint.now = last_use
    assert (await tokens.get("key", CLIENT)).text == "token-2"


async def test_clients_that_differ_have_tokens_of_their_own() -> None:
    tokens = Endpoint().tokens()
    assert [(await tokens.get(key, CLIENT)).text for key in ("a", "b", "a")] == ["token-1", "token-2", "token-1"]


async def test_a_refused_token_is_replaced_and_a_new_one_is_no_reason_to_try_again() -> None:
    tokens = Endpoint().tokens()
    new = await tokens.get("key", CLIENT)
    assert tokens.discard("key", new) is False
    await tokens.get("key", CLIENT)
    kept = await tokens.get("key", CLIENT)
    assert tokens.discard("key", kept) is True
    assert (await tokens.get("key", CLIENT)).text == "token-3"
    # Somebody else has replaced it already.
    assert tokens.discard("key", AccessToken(text="token-2", usable_until=0)) is True
    assert (await tokens.get("key", CLIENT)).text == "token-3"


@pytest.mark.parametrize(
    ("status", "answer", "told", "is_retryable"),
    [
        (
            400,
            {"error": "invalid_scope", "error_description": "no cl13nt-s3cret"},
            "invalid_scope: no [redacted]",
            False,
        ),
        (503, b"<html>cl13nt-s3cret</html>", "but 503", True),
        (429, {}, "but 429", True),
        (200, {"access_token": ""}, "but 200", False),
        (200, b"[]", "but 200", False),
        (200, {"token_type": "mac"}, "another type", False),
        (200, {"access_token": "a\nb"}, "no header can hold", False),
        (200, ConnectionFailedError("no way to cl13nt-s3cret"), "no way to [redacted]", True),
    ],
)
async def test_a_failure_is_told_without_the_secret_and_not_kept(
    status: int, answer: Any, told: str, is_retryable: bool
) -> None:
    endpoint = Endpoint()
    endpoint.status, endpoint.answer = status, answer
    tokens = endpoint.tokens()
    with pytest.raises(TokenError) as raised:
        await tokens.get("key", CLIENT)
    assert told in raised.value.message
    assert "cl13nt-s3cret" not in raised.value.message
    assert raised.value.is_retryable is is_retryable
    endpoint.status, endpoint.answer = 200, {}
    assert (await tokens.get("key", CLIENT)).text == "token-2"
