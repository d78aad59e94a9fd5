"""A rotation whose answer was lost is asked for again: there must not be another one."""

import asyncpg

from tests.integration.api.callers import Api, Caller
from tests.integration.api.hooks import open_hook


async def test_a_rotation_that_is_sent_again_under_its_key_makes_no_other_secret(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner, {"auth": {"type": "bearer", "secret": "the-secret-before"}})
    path, key = f"/v1/triggers/{hook.trigger_id}/rotate", {"idempotency-key": "rotation-7"}
    first, again = [await owner.client.post(path, json={"what": "secret"}, headers=key) for _ in range(2)]
    assert first.raise_for_status().json() == again.raise_for_status().json()
    # Of three secrets, the one that senders still use would not be good any more.
    for secret in ("the-secret-before", first.json()["secret"]):
        assert (await hook.post(authorization=f"Bearer {secret}")).status_code == 202
    other = await owner.client.post(path, json={"what": "url"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    connection = await asyncpg.connect(api.settings.database_url)
    (kept,) = await connection.fetch("SELECT body FROM idempotency_key WHERE key = 'rotation-7'")
    await connection.close()
    assert first.json()["secret"].encode() not in kept["body"]
