"""Signing keys while the database is slow or away: one read at a time, and whoever has a key goes on with it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from app.auth import signing_keys
from app.auth.signing_keys import SigningKeys
from app.errors import InvalidToken
from engine.infra.ids import new_id
from tests.integration.api.callers import Api, Caller

pytestmark = pytest.mark.without_faults("it counts reads, and what a lock holds up")


class Reads:
    """The reads of keys, counted."""

    def __init__(self, keys: SigningKeys, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys = keys
        self.begun = 0
        self.failure: Exception | None = None
        self._load = keys._load
        monkeypatch.setattr(keys, "_load", self._count)
        # Known keys are old at once, and nobody who has one waits.
        monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", -1.0)
        monkeypatch.setattr(signing_keys, "_RELOAD_SECONDS", -1.0)
        monkeypatch.setattr(signing_keys, "PATIENCE_SECONDS", 0.0)
        # A read hangs for as long as the test wants.
        monkeypatch.setattr(signing_keys, "_READ_SECONDS", 600.0)

    async def _count(self, *, create: bool) -> None:
        self.begun += 1
        if self.failure is not None:
            raise self.failure
        await self._load(create=create)

    async def until_idle(self) -> None:
        """Until no read is under way."""
        while any(not read.done() for read in self.keys._reads.values()):
            await asyncio.sleep(0.01)


@pytest.fixture
async def locked(api: Api, owner: Caller) -> AsyncIterator[Any]:
    """The table of keys, held by somebody until it is let go."""
    assert (await owner.client.get("/v1/auth/me")).status_code == 200
    async with api.database.connect() as connection:
        transaction = await connection.begin()
        await connection.execute(text("LOCK TABLE signing_key IN ACCESS EXCLUSIVE MODE"))
        yield transaction
        await connection.close()


async def test_a_database_that_hangs_holds_nobody_up_whose_key_is_known(
    api: Api, owner: Caller, locked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = api.app.state.signing_keys
    kid = (await keys.current()).kid
    reads = Reads(keys, monkeypatch)
    for _ in range(3):
        api.app.state.authenticator.forget_user(owner.user_id)
        answers = await asyncio.gather(*(owner.client.get("/v1/auth/me") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert {key.kid for key in await asyncio.gather(*(keys.verifying(kid) for _ in range(50)))} == {kid}
        assert (await keys.current()).kid == kid
    assert reads.begun == 1
    await locked.rollback()
    await reads.until_idle()
    await keys.verifying(kid)
    assert reads.begun == 2


async def test_whoever_needs_an_unknown_key_waits_for_the_one_read(
    api: Api, locked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(api.app.state.signing_keys, monkeypatch)
    asking = [asyncio.create_task(reads.keys.verifying(str(new_id()))) for _ in range(50)]
    while not all(read for read in reads.keys._reads.values()) or reads.begun == 0:
        await asyncio.sleep(0)
    # Each has asked once it had its turn.
    for _ in range(3):
        await asyncio.sleep(0)
    assert reads.begun == 1
    assert not any(task.done() for task in asking)
    await locked.rollback()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {InvalidToken}
    assert reads.begun == 1


async def test_after_a_read_that_failed_known_keys_are_used_in_peace(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = api.app.state.signing_keys
    kid = (await keys.current()).kid
    reads = Reads(keys, monkeypatch)
    monkeypatch.setattr(signing_keys, "PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(signing_keys, "_RELOAD_SECONDS", 3600.0)
    reads.failure = ConnectionRefusedError("away")
    assert {key.kid for key in await asyncio.gather(*(keys.verifying(kid) for _ in range(20)))} == {kid}
    for _ in range(20):
        assert (await keys.current()).kid == kid
    assert reads.begun == 1
    # What says nothing of the database is nothing to live with.
    reads.failure = RuntimeError("a fault of ours")
    monkeypatch.setattr(keys, "_quiet_until", float("-inf"))
    with pytest.raises(RuntimeError, match="of ours"):
        await keys.verifying(kid)
