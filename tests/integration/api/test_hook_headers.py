"""What a run sees of a request's headers, and what a sender is told who asks before it delivers."""

import gzip
import hashlib
import hmac

import httpx

from tests.integration.api.callers import Api, Caller
from tests.integration.api.hooks import open_hook


async def test_a_header_that_comes_several_times_is_one_list(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner)
    headers = [("x-hop", "a"), ("x-other", "1"), ("X-Hop", "b"), ("cookie", "a=1"), ("cookie", "b=2")]
    answer = await api.client().post(hook.path, json={}, headers=headers)
    run = (await owner.client.get(f"/v1/runs/{answer.json()['run_id']}")).raise_for_status().json()
    assert run["trigger"]["headers"]["x-hop"] == "a, b"
    assert run["trigger"]["headers"]["x-other"] == "1"
    assert "cookie" not in run["trigger"]["headers"]


async def test_credentials_that_come_twice_are_none(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner, {"auth": {"type": "bearer", "secret": "a-secret-of-some-length"}})
    right, wrong = ("authorization", "Bearer a-secret-of-some-length"), ("authorization", "Bearer another")
    statuses = [
        (await api.client().post(hook.path, json={}, headers=headers)).status_code
        for headers in ([right], [right, wrong], [wrong, right])
    ]
    assert statuses == [202, 401, 401]


async def test_a_sender_who_asks_is_told_the_methods_of_any_address(
    api: Api, owner: Caller, anonymous: httpx.AsyncClient
) -> None:
    hook = await open_hook(api, owner, {"auth": {"type": "bearer", "secret": "a-secret-of-some-length"}})
    for path in (hook.path + "?page=2", "/v1/hooks/unknown"):
        for method, status in (("OPTIONS", 204), ("HEAD", 200)):
            answer = await anonymous.request(method, path)
            assert (answer.status_code, answer.content) == (status, b"")
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST", "PUT"}
        for method in ("DELETE", "PATCH", "TRACE"):
            answer = await anonymous.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST", "PUT"}
    assert (await owner.client.get("/v1/events")).json()["items"] == []


async def test_a_packed_body_is_verified_as_it_came_and_seen_unpacked(api: Api, owner: Caller) -> None:
    secret = "a-secret-of-some-length"
    hook = await open_hook(api, owner, {"auth": {"type": "github", "secret": secret}})

    async def post(body: bytes) -> httpx.Response:
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"content-encoding": "gzip", "x-hub-signature-256": signature}
        return await api.client().post(hook.path, content=body, headers=headers)

    taken = await post(gzip.compress(b'{"id": 7}'))
    run = (await owner.client.get(f"/v1/runs/{taken.json()['run_id']}")).raise_for_status().json()
    assert run["trigger"]["body"] == {"id": 7}
    # A bomb: it is refused and noted like any other body that is too large.
    refused = await post(gzip.compress(bytes(2_000_000)))
    assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")
