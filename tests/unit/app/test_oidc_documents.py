"""What a provider publishes is fetched once for all, kept for a time, and outlives a provider that is away."""

import asyncio

import pytest

from app.auth.oidc.documents import FRESH_SECONDS, REST_SECONDS, STALE_SECONDS, Kept
from app.auth.oidc.errors import Failure, SignInFailed


class Publisher:
    """It counts how often it is asked, and can be away."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.is_away = False
        self.pause: asyncio.Event | None = None
        self.was_asked = asyncio.Event()
        self.kept = Kept(self._publish, lambda: self.now)

    async def _publish(self) -> str:
        self.asked += 1
        self.was_asked.set()
        number = self.asked
        if self.pause is not None:
            await self.pause.wait()
        if self.is_away:
            raise SignInFailed(Failure.PROVIDER_UNAVAILABLE)
        return f"edition {number}"


async def test_a_document_is_kept_for_an_hour() -> None:
    publisher = Publisher()
    assert await publisher.kept.get() == "edition 1"
    publisher.now += FRESH_SECONDS
    assert await publisher.kept.get() == "edition 1"
    publisher.now += 1
    assert await publisher.kept.get() == "edition 2"


async def test_whoever_asks_at_the_same_time_gets_the_same_one_even_if_the_first_hangs_up() -> None:
    publisher = Publisher()
    publisher.pause = asyncio.Event()
    asking = [asyncio.create_task(publisher.kept.get()) for _ in range(3)]
    await publisher.was_asked.wait()
    asking[0].cancel()
    publisher.pause.set()
    assert await asyncio.gather(*asking[1:]) == ["edition 1"] * 2
    assert publisher.asked == 1
    with pytest.raises(asyncio.CancelledError):
        await asking[0]


async def test_while_the_provider_is_away_what_it_said_holds_for_a_day() -> None:
    publisher = Publisher()
    await publisher.kept.get()
    publisher.is_away = True
    publisher.now += STALE_SECONDS
    assert await publisher.kept.get() == "edition 1"
    publisher.now += REST_SECONDS
    with pytest.raises(SignInFailed):
        await publisher.kept.get()
    publisher.is_away = False
    assert await publisher.kept.get() == "edition 4"


async def test_it_is_not_asked_again_and_again_while_it_is_away() -> None:
    publisher = Publisher()
    await publisher.kept.get()
    publisher.is_away = True
    publisher.now += FRESH_SECONDS + 1
    for _ in range(5):
        assert await publisher.kept.get() == "edition 1"
    assert publisher.asked == 2


async def test_a_newer_one_is_looked_for_at_most_once_in_a_while() -> None:
    publisher = Publisher()
    await publisher.kept.get()
    assert await publisher.kept.renew() == "edition 1"
    publisher.now += REST_SECONDS
    assert await publisher.kept.renew() == "edition 2"
    assert await publisher.kept.renew() == "edition 2"


async def test_where_there_never_was_one_the_failure_is_told() -> None:
    publisher = Publisher()
    publisher.is_away = True
    with pytest.raises(SignInFailed):
        await publisher.kept.get()
    publisher.is_away = False
    assert await publisher.kept.get() == "edition 2"
