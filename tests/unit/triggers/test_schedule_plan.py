"""What a schedule starts that was not looked at for a while."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.triggers.schedule import ScheduleConfig
from engine.triggers.schedule_plan import GRACE, MOST_AT_ONCE, Plan, describe_due, make_due_key, make_plan

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def plan(now: datetime, due_at: datetime = NOON, **config: Any) -> Plan:
    """The plan of a schedule that is due since noon."""
    config.setdefault("cron", "0 * * * *")
    return make_plan(msgspec.convert(config, ScheduleConfig), due_at, now)


def starts(made: Plan) -> list[tuple[datetime, bool]]:
    return [(due.at, due.is_missed) for due in made.due]


@pytest.mark.parametrize("missed", ["skip", "run_once", "run_all"])
def test_a_due_time_that_is_a_little_late_is_served_under_every_policy(missed: str) -> None:
    made = plan(NOON + GRACE, missed=missed)
    assert starts(made) == [(NOON, False)]
    assert (made.next_due_at, made.has_skipped) == (NOON + HOUR, False)


def test_missed_due_times_are_skipped_where_that_is_asked_for() -> None:
    made = plan(NOON + 5 * HOUR - timedelta(seconds=1), missed="skip")
    assert starts(made) == []
    assert (made.next_due_at, made.has_skipped) == (NOON + 5 * HOUR, True)


def test_missed_due_times_are_made_up_for_once_by_the_latest() -> None:
    made = plan(NOON + 4.5 * HOUR, missed="run_once")
    assert starts(made) == [(NOON + 4 * HOUR, True)]
    assert (made.next_due_at, made.has_skipped) == (NOON + 5 * HOUR, True)


def test_a_single_missed_due_time_leaves_none_out() -> None:
    made = plan(NOON + 0.5 * HOUR, missed="run_once")
    assert (starts(made), made.has_skipped) == ([(NOON, True)], False)


def test_all_missed_due_times_are_made_up_for_in_their_order() -> None:
    made = plan(NOON + 4.5 * HOUR, missed="run_all")
    assert starts(made) == [(NOON + number * HOUR, True) for number in range(5)]
    assert (made.next_due_at, made.has_skipped) == (NOON + 5 * HOUR, False)


def test_of_too_many_missed_due_times_the_latest_are_made_up_for() -> None:
    made = plan(NOON + 4.5 * HOUR, missed="run_all", missed_limit=2)
    assert starts(made) == [(NOON + 3 * HOUR, True), (NOON + 4 * HOUR, True)]
    assert made.has_skipped


def test_what_is_due_beside_what_was_missed_is_served_as_well() -> None:
    made = plan(NOON + 3 * HOUR, missed="run_once")
    assert starts(made) == [(NOON + 2 * HOUR, True), (NOON + 3 * HOUR, False)]


def test_a_moment_that_was_missed_runs_unless_it_shall_be_skipped() -> None:
    late = NOON + 30 * HOUR
    once = make_plan(ScheduleConfig(at=NOON), NOON, late)
    skipped = make_plan(ScheduleConfig(at=NOON, missed="skip"), NOON, late)
    assert (starts(once), once.next_due_at) == ([(NOON, True)], None)
    assert (starts(skipped), skipped.next_due_at, skipped.has_skipped) == ([], None, True)


def test_many_starts_come_in_turns_and_none_is_lost_or_doubled() -> None:
    config = ScheduleConfig(every_seconds=10, missed="run_all", missed_limit=1000)
    now, due_at, seen = NOON + 3 * HOUR, NOON, list[datetime]()
    for _ in range(100):
        made = make_plan(config, due_at, now)
        assert len(made.due) <= MOST_AT_ONCE
        seen += [due.at for due in made.due]
        assert made.next_due_at is not None
        due_at = made.next_due_at
        if due_at > now:
            break
    last = now - timedelta(seconds=60 + 10 * 999)
    assert seen == [last - timedelta(seconds=10) + timedelta(seconds=10) * n for n in range(1, 1007)]


@pytest.mark.parametrize(
    "config",
    [
        {"cron": "* * * * * *", "missed": "run_once"},
        {"every_seconds": 1, "missed": "run_all", "missed_limit": 1000},
        {"cron": "* * * * * *", "missed": "skip"},
        {"cron": "0 0 29 2 *", "missed": "run_all"},
    ],
    ids=lambda config: f"{config.get('cron', 'interval')} {config['missed']}",
)
def test_years_of_missed_seconds_are_not_gone_through(config: dict[str, Any]) -> None:
    before = time.thread_time()
    made = plan(NOON + timedelta(days=3650), **config)
    assert len(made.due) <= MOST_AT_ONCE
    # A hundred million due times would take hours.
    assert time.thread_time() - before < 10


def test_a_run_sees_when_it_was_due() -> None:
    made = plan(NOON + timedelta(seconds=2))
    trigger = describe_due(made.due[0], NOON + timedelta(seconds=2))
    assert trigger == {
        "type": "schedule",
        "due_at": "2026-06-01T12:00:00Z",
        "missed": False,
        "body": None,
        "headers": {},
        "query": {},
        "method": None,
        "received_at": "2026-06-01T12:00:02Z",
    }


def test_a_due_time_has_one_name() -> None:
    assert make_due_key(NOON) == "due:2026-06-01T12:00:00Z"
    assert make_due_key(NOON) != make_due_key(NOON + timedelta(microseconds=1))
