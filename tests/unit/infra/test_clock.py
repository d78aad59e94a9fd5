"""The database's time, as a process carries it on between two answers."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from engine.infra.clock import KEPT_SECONDS, DatabaseClock

START = datetime(2030, 5, 1, 12, tzinfo=UTC)


class Machine:
    """A machine whose own clock is wrong by an hour; `true` is the database's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wrong_by: timedelta) -> None:
        self.passed = 0.0
        own = SimpleNamespace(
            monotonic=lambda: 1000.0 + self.passed, time=lambda: self.true.timestamp() + wrong_by.total_seconds()
        )
        monkeypatch.setattr("engine.infra.clock.time", own)

    @property
    def true(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def answer(self, database_clock: DatabaseClock, *, slow_by: float = 0.0) -> None:
        """Let the database's time of now come that much later."""
        asked = self.true
        self.passed += slow_by
        database_clock.synchronise(asked)


@pytest.fixture(params=[timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch, request.param)


def test_a_wrong_clock_of_the_machine_is_forgotten_with_the_first_answer(machine: Machine) -> None:
    database_clock = DatabaseClock()
    assert database_clock.now() != machine.true
    machine.answer(database_clock)
    assert database_clock.now() == machine.true
    machine.passed += 7
    assert database_clock.now() == machine.true


def test_a_slow_answer_does_not_put_the_clock_back(machine: Machine) -> None:
    database_clock = DatabaseClock()
    machine.answer(database_clock)
    machine.passed += 1
    machine.answer(database_clock, slow_by=2.4)
    assert database_clock.now() == machine.true


def test_it_is_never_ahead_and_never_goes_back(machine: Machine) -> None:
    database_clock = DatabaseClock()
    seen = []
    for slow_by in (0.5, 0.1, 2.0, 0.0, 1.0, 0.3):
        machine.answer(database_clock, slow_by=slow_by)
        seen.append(database_clock.now())
        assert seen[-1] <= machine.true
        machine.passed += 1
    assert seen == sorted(seen)


def test_a_database_whose_clock_is_put_back_is_followed_after_a_minute(machine: Machine) -> None:
    database_clock = DatabaseClock()
    machine.answer(database_clock)
    for _ in range(int(KEPT_SECONDS) + 2):
        machine.passed += 1
        database_clock.synchronise(machine.true - timedelta(seconds=30))
    # It stood still until the time had caught up with it.
    assert database_clock.now() == START + timedelta(seconds=KEPT_SECONDS + 2 - 30)
    machine.passed += 5
    database_clock.synchronise(machine.true - timedelta(seconds=30))
    assert database_clock.now() == machine.true - timedelta(seconds=30)
