"""What a schedule that is due starts: its due times up to now, and what becomes of those that were missed."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from engine.triggers.schedule import ScheduleConfig, make_rule

# A due time that is later than this was missed; until then it is merely late, whoever was restarted meanwhile.
GRACE: Final = timedelta(seconds=60)
# How many runs one schedule starts in one transaction; the rest follows in the next.
MOST_AT_ONCE: Final = 50


class DueTime(NamedTuple):
    """A due time for which a run starts; `is_missed` where it is for one that was missed."""

    at: datetime
    is_missed: bool


class Plan(Struct, frozen=True, kw_only=True):
    """What to start, when the schedule is due again (None: never), and whether due times were passed over."""

    due: list[DueTime]
    next_due_at: datetime | None
    has_skipped: bool


def make_plan(config: ScheduleConfig, due_at: datetime, now: datetime) -> Plan:
    """The plan of a schedule that is due since `due_at`, in bounded time however long that is ago."""
    rule = make_rule(config)
    following: datetime | None = due_at
    due: list[DueTime] = []
    has_skipped = False
    until = now - GRACE
    if due_at < until:
        latest = rule.find_latest(due_at, until, config.missed_limit if config.missed == "run_all" else 1)
        if config.missed != "skip":
            due = [DueTime(at, is_missed=True) for at in latest]
        has_skipped = config.missed == "skip" or latest[0] > due_at
        following = rule.next_after(latest[-1])
    while following is not None and following <= now and len(due) <= MOST_AT_ONCE:
        due.append(DueTime(following, is_missed=False))
        following = rule.next_after(following)
    if len(due) > MOST_AT_ONCE:
        following = due[MOST_AT_ONCE].at
        del due[MOST_AT_ONCE:]
    return Plan(due=due, next_due_at=following, has_skipped=has_skipped)


def describe_due(due: DueTime, received_at: datetime) -> dict[str, Any]:
    """The `trigger` that a run of this due time sees."""
    return {
        "type": "schedule",
        "due_at": msgspec.to_builtins(due.at),
        "missed": due.is_missed,
        "body": None,
        "headers": {},
        "query": {},
        "method": None,
        "received_at": msgspec.to_builtins(received_at),
    }


def make_due_key(due_at: datetime) -> str:
    """What names a due time of a trigger: the same in every process."""
    return "due:" + str(msgspec.to_builtins(due_at))
