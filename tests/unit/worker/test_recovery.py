"""When a worker looks for others that died, after its own way to the database was broken, or it stood still itself."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.store.leases import Suspect
from engine.worker import recovery
from engine.worker.recovery import SILENCE_SECONDS, Recovery

TTL = 5.0
QUICK, LONG = 0.3, 3.0


class Looks:
    """A worker's recovery under a clock that is driven by hand, and another worker that has fallen silent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.server_started_at = 0.0
        self.last_beat_at = 900.0
        # By so much the database's clock is ahead of one that stood still while the machine slept.
        self.slept = 0.0
        self._declared = 0
        self._recovery = Recovery(worker_id=1, ttl_seconds=TTL)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(recovery, "find_suspects", self._find)
        monkeypatch.setattr(recovery, "seconds_up", self._count_seconds_up)
        monkeypatch.setattr(recovery, "is_session_gone", self._is_session_gone)
        monkeypatch.setattr(recovery, "declare_dead", self._declare_dead)

    async def _find(self, _connection: Any, _worker_id: int, silence: float) -> tuple[datetime, list[Suspect]]:
        silent = self.now + self.slept - self.last_beat_at
        moment = datetime.fromtimestamp(self.now + self.slept, UTC)
        return moment, [Suspect(2, silent)] if silent >= silence else []

    async def _count_seconds_up(self, _connection: Any) -> float:
        return self.now - self.server_started_at

    async def _is_session_gone(self, _connection: Any, _worker_id: int) -> bool:
        return True

    async def _declare_dead(self, *_: Any) -> int:
        self._declared += 1
        return 0

    def beat(self) -> None:
        """The other one is heard of again."""
        self.last_beat_at = self.now + self.slept

    async def does_look(self) -> bool:
        """Whether the silent one is taken for dead now."""
        before = self._declared
        await self._recovery.look(None)
        return self._declared > before

    def reconnect(self, away: float) -> None:
        self._recovery.note_reconnect(away)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


@pytest.mark.parametrize("away", [QUICK, LONG])
async def test_nobody_is_declared_dead_for_one_ttl_after_the_database_was_away(looks: Looks, away: float) -> None:
    assert await looks.does_look()
    looks.reconnect(away)
    looks.now += TTL - 0.1
    assert not await looks.does_look()
    looks.now += 0.2
    assert await looks.does_look()


async def test_a_connection_that_is_lost_again_and_again_does_not_keep_the_dead_from_being_found(looks: Looks) -> None:
    found = 0
    for _ in range(100):
        looks.now += 1.0
        looks.reconnect(QUICK)
        found += await looks.does_look()
    assert found > 30


async def test_each_long_absence_is_waited_for(looks: Looks) -> None:
    for _ in range(5):
        looks.now += TTL + 0.1
        looks.reconnect(LONG)
        assert not await looks.does_look()


async def test_who_has_beaten_since_the_database_is_back_and_falls_silent_then_is_not_waited_for(looks: Looks) -> None:
    looks.reconnect(LONG)
    looks.last_beat_at = looks.now + 0.5
    looks.now = looks.last_beat_at + SILENCE_SECONDS - 0.1
    assert not await looks.does_look()
    looks.now += 0.2
    assert await looks.does_look()


@pytest.mark.parametrize("seconds_after_start", [-1.0, 0.5], ids=["before the server's start", "after it"])
async def test_only_a_silence_that_began_before_the_servers_start_is_waited_out(
    looks: Looks, seconds_after_start: float
) -> None:
    looks.server_started_at = 1000.0
    looks.last_beat_at = looks.server_started_at + seconds_after_start
    looks.now = looks.server_started_at + 0.5 + SILENCE_SECONDS + 0.1
    assert await looks.does_look() == (seconds_after_start > 0)
    looks.now = looks.server_started_at + TTL + 0.1
    assert await looks.does_look()


@pytest.mark.parametrize("seconds", [TTL - 0.2, 30.0], ids=["a little", "a lot"])
async def test_nobody_is_taken_for_dead_because_the_machine_slept_or_the_databases_clock_was_set_forward(
    looks: Looks, seconds: float
) -> None:
    for _ in range(3):
        looks.now += 2 * TTL
        looks.beat()
        assert not await looks.does_look()
        looks.slept += seconds
        looks.now += 0.5
        assert not await looks.does_look()
        looks.now += 1.0
        assert not await looks.does_look()
        # The other one is heard of again, as it is twice a second.
        looks.beat()
        looks.now += 1.0
        assert not await looks.does_look()


async def test_who_does_not_go_on_after_the_machine_slept_is_found_a_lease_later(looks: Looks) -> None:
    looks.beat()
    assert not await looks.does_look()
    looks.slept += 30.0
    assert not await looks.does_look()
    looks.now += TTL - 0.1
    assert not await looks.does_look()
    looks.now += 0.2
    assert await looks.does_look()


async def test_answers_that_are_slow_again_and_again_do_not_keep_the_dead_from_being_found(looks: Looks) -> None:
    found = 0
    for number in range(60):
        looks.now += 1.0
        looks.slept = 2.0 * (number % 2)
        found += await looks.does_look()
    assert found > 20
