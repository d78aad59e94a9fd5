"""Connections tried out: real calls within the bounds of a step's, and nothing of a secret in what they tell."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from app.auth.permissions import Role
from engine.infra.settings import Settings
from tests.integration.api.callers import Api, Caller, running
from tests.integration.http.targets import Received, serve, write_answer

SECRET = "s3cr3t-of-the-shop"


@pytest.fixture
async def owner(settings: Settings) -> AsyncIterator[Caller]:
    """Somebody whose product may call this machine."""
    async with running(replace(settings, http_allow_private="127.0.0.1"), beside_another=True) as api:
        yield await api.sign_in(Role.OWNER)


async def try_out(caller: Caller, kind: str, secret: Any, body: Any, **more: Any) -> dict[str, Any]:
    connection = {"name": "shop", "type": kind, "secret": secret, **more}
    made = await caller.client.post("/v1/connections", json=connection)
    assert made.status_code == 201, made.text
    answer = await caller.client.post(made.headers["location"] + "/test", json=body)
    assert SECRET not in answer.text
    result: dict[str, Any] = answer.json()
    return {"status_code": answer.status_code, **result}


@pytest.mark.parametrize(
    ("status", "is_ok", "code"),
    [
        (200, True, None),
        (401, False, "credentials_refused"),
        (403, False, "credentials_refused"),
        (500, False, "http_status"),
    ],
)
async def test_the_target_gets_the_credentials_and_its_status_tells(
    owner: Caller, status: int, is_ok: bool, code: str | None
) -> None:
    received: list[Received] = []

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        received.append(request)
        write_answer(writer, status, {"X-Echo": SECRET}, SECRET.encode())

    async with serve(answer) as target:
        result = await try_out(owner, "bearer", {"token": SECRET}, {"url": target.url})
    assert (result["ok"], result["status"], result["code"]) == (is_ok, status, code)
    assert [dict(request.headers)["authorization"] for request in received] == [f"Bearer {SECRET}"]


async def test_hosts_that_are_not_allowed_are_not_called(owner: Caller) -> None:
    async def answer(_request: Received, writer: asyncio.StreamWriter) -> None:
        pytest.fail("it was called")

    async with serve(answer) as target:
        result = await try_out(owner, "bearer", {"token": SECRET}, {"url": target.url}, allowed_hosts=["a.example"])
    assert (result["ok"], result["code"]) == (False, "host_not_allowed")


async def test_private_targets_are_not_called_where_nobody_opens_them(api: Api) -> None:
    caller = await api.sign_in(Role.ADMIN)
    result = await try_out(caller, "bearer", {"token": SECRET}, {"url": "http://127.0.0.1:9999/"})
    assert (result["ok"], result["code"], result["status"]) == (False, "egress_blocked", None)


async def test_an_oauth_client_is_tried_out_by_its_token(owner: Caller) -> None:
    async def answer(_request: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, 200, {"Content-Type": "application/json"}, b'{"access_token": "t", "expires_in": 60}')

    async with serve(answer) as target:
        secret = {"token_url": target.url, "client_id": "c", "client_secret": SECRET}
        result = await try_out(owner, "oauth2_client_credentials", secret, {})
    assert (result["ok"], result["message"]) == (True, "the token endpoint gave an access token")


async def test_what_an_endpoint_says_against_a_client_is_told_without_its_secret(owner: Caller) -> None:
    async def answer(_request: Received, writer: asyncio.StreamWriter) -> None:
        body = f'{{"error": "invalid_client", "error_description": "not {SECRET}"}}'.encode()
        write_answer(writer, 401, {"Content-Type": "application/json"}, body)

    async with serve(answer) as target:
        secret = {"token_url": target.url, "client_id": "c", "client_secret": SECRET}
        result = await try_out(owner, "oauth2_client_credentials", secret, {})
    assert (result["ok"], result["code"]) == (False, "token_refused")
    assert "invalid_client: not [redacted]" in result["message"]


@pytest.mark.parametrize(("body", "code"), [({}, "required"), ({"url": "ftp://a"}, "format"), ({"url": ""}, "length")])
async def test_a_test_needs_a_url_that_can_be_called(owner: Caller, body: Any, code: str) -> None:
    result = await try_out(owner, "bearer", {"token": SECRET}, body)
    assert result["status_code"] == 400
    assert [(error["pointer"], error["code"]) for error in result["errors"]] == [("/url", code)]


async def test_a_secret_that_was_sealed_under_another_key_is_told_as_such(api: Api, owner: Caller) -> None:
    made = await owner.client.post(
        "/v1/connections", json={"name": "shop", "type": "bearer", "secret": {"token": SECRET}}
    )
    # The other application has a secret key of its own, and the same database.
    other = "b3RoZXIga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMgISE="
    async with running(replace(api.settings, secret_key=other), beside_another=True) as second:
        member = await second.sign_in(Role.ADMIN, owner.workspace_id)
        answer = await member.client.post(made.headers["location"] + "/test", json={"url": "https://a.example/"})
    assert (answer.json()["ok"], answer.json()["code"]) == (False, "connection_sealed")
    assert "FLOWFORGE_SECRET_KEY" in answer.json()["message"]
