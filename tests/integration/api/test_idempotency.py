import asyncio
import hashlib
import json

import pytest
from sqlalchemy import text

from app.auth.permissions import Role
from tests.integration.api.callers import Api, Caller

NEW = {"name": "Orders", "definition": {"schema": 1, "steps": []}}
KEY = {"idempotency-key": "order-4711"}


async def _count(caller: Caller) -> int:
    return len((await caller.client.get("/v1/workflows")).json()["items"])


async def test_the_same_request_with_its_key_is_answered_again_and_creates_nothing(owner: Caller) -> None:
    first = await owner.client.post("/v1/workflows", json=NEW, headers=KEY)
    again = await owner.client.post("/v1/workflows", json=NEW, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert await _count(owner) == 1


async def test_the_same_key_with_another_body_is_refused(owner: Caller) -> None:
    await owner.client.post("/v1/workflows", json=NEW, headers=KEY)
    answer = await owner.client.post("/v1/workflows", json={**NEW, "name": "Other"}, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert await _count(owner) == 1


async def test_requests_at_once_with_one_key_create_once(owner: Caller) -> None:
    answers = await asyncio.gather(*(owner.client.post("/v1/workflows", json=NEW, headers=KEY) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await _count(owner) == 1


async def test_a_key_that_is_held_for_long_is_told_to_be_in_progress(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.idempotency.repository._WAIT", "100ms")
    async with api.database.connect() as connection:
        # As another API process would, in the middle of its answer.
        await connection.execute(
            text(
                "INSERT INTO idempotency_key (workspace_id, principal_id, route, key, request_hash)"
                " VALUES (:workspace_id, :principal_id, 'POST /v1/workflows', 'order-4711', '')"
            ),
            {"workspace_id": owner.workspace_id, "principal_id": owner.user_id},
        )
        answer = await owner.client.post("/v1/workflows", json=NEW, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
        assert answer.headers["retry-after"] == "1"
        await connection.rollback()
    assert (await owner.client.post("/v1/workflows", json=NEW, headers=KEY)).status_code == 201


async def test_a_key_holds_for_one_principal_and_one_route_only(api: Api, owner: Caller) -> None:
    colleague = await api.sign_in(Role.EDITOR, owner.workspace_id)
    first = await owner.client.post("/v1/workflows", json=NEW, headers=KEY)
    second = await colleague.client.post("/v1/workflows", json=NEW, headers=KEY)
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]
    published = await owner.client.post(f"/v1/workflows/{first.json()['id']}/publish", headers=KEY)
    assert published.json().get("code") != "idempotency_key_reused"


async def test_the_same_key_for_another_workflow_is_refused(owner: Caller) -> None:
    good = {"name": "X", "definition": {"schema": 1, "steps": [{"id": "a", "type": "delay", "with": {"seconds": 1}}]}}
    ids = [(await owner.client.post("/v1/workflows", json=good)).json()["id"] for _ in range(2)]
    answers = [await owner.client.post(f"/v1/workflows/{each}/publish", headers=KEY) for each in ids]
    assert [answer.status_code for answer in answers] == [201, 409]


async def test_a_failed_request_leaves_its_key_free(owner: Caller) -> None:
    refused = await owner.client.post("/v1/workflows", json={**NEW, "definition": 7}, headers=KEY)
    assert refused.status_code == 400
    assert (await owner.client.post("/v1/workflows", json=NEW, headers=KEY)).status_code == 201


async def test_a_key_is_forgotten_after_a_day(api: Api, owner: Caller) -> None:
    first = await owner.client.post("/v1/workflows", json=NEW, headers=KEY)
    async with api.database.begin() as connection:
        await connection.execute(text("UPDATE idempotency_key SET created_at = now() - interval '25 hours'"))
    second = await owner.client.post("/v1/workflows", json={**NEW, "name": "Other"}, headers=KEY)
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]
    async with api.database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM idempotency_key")) == 1


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "tab\there", "ümlaut"])
async def test_a_key_that_cannot_be_used_is_refused(owner: Caller, key: str) -> None:
    answer = await owner.client.post("/v1/workflows", json=NEW, headers={b"idempotency-key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")


async def test_a_replay_keeps_the_definition_as_it_was_sent(owner: Caller) -> None:
    body = '{"name":"X","definition":{ "z":1, "a" : 1.50, "m":"\\u0000" }}'
    headers = {**KEY, "content-type": "application/json"}
    answers = [await owner.client.post("/v1/workflows", content=body, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert '{ "z":1, "a" : 1.50, "m":"\\u0000" }' in answers[1].text
    assert json.loads(answers[1].text)["name"] == "X"


def _hash_plainly(path: str, body: bytes) -> bytes:
    """What a request was kept as before digests had a key."""
    parts = (path.encode(), b"", body)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


async def test_what_is_kept_of_a_request_cannot_be_guessed_without_the_secret_key(api: Api, owner: Caller) -> None:
    body = b'{"name":"shop","type":"bearer","secret":{"token":"hunter2"}}'
    headers = {**KEY, "content-type": "application/json"}
    answer = await owner.client.post("/v1/connections", content=body, headers=headers)
    assert answer.status_code == 201
    async with api.database.begin() as connection:
        kept = bytes(await connection.scalar(text("SELECT request_hash FROM idempotency_key")))
    plain = _hash_plainly("/v1/connections", body)
    assert plain not in kept
    assert hashlib.sha256(body).digest() not in kept
    assert api.app.state.request_digests.is_of(kept, plain)


async def test_a_key_that_an_older_release_kept_is_answered_again(api: Api, owner: Caller) -> None:
    body = json.dumps(NEW).encode()
    headers = {**KEY, "content-type": "application/json"}
    first = await owner.client.post("/v1/workflows", content=body, headers=headers)
    async with api.database.begin() as connection:
        kept = {"plain": _hash_plainly("/v1/workflows", body)}
        await connection.execute(text("UPDATE idempotency_key SET request_hash = :plain"), kept)
    again = await owner.client.post("/v1/workflows", content=body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    other = await owner.client.post("/v1/workflows", content=body + b" ", headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
