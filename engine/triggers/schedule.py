"""Schedule triggers: their configuration, and the times at which they are due, right over changes of the clock."""

import copy
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.core.problems import Problem

DAY_SECONDS: Final = 86_400
LONGEST_INTERVAL: Final = 366 * DAY_SECONDS
SHOWN_TIMES: Final = 5
# The first look back for due times that were missed, and by how much each further one is longer.
_LOOK_BACK, _LONGER = timedelta(minutes=1), 4
# A whole second is the finest that a due time can be.
_MOMENT = timedelta(microseconds=1)


class ScheduleConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When a schedule is due, by one of `cron`, `every_seconds` and `at`, and what becomes of what was missed."""

    cron: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    every_seconds: Annotated[int, Meta(ge=1, le=LONGEST_INTERVAL)] | UnsetType = UNSET
    at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET
    timezone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"
    missed: Literal["skip", "run_once", "run_all"] = "run_once"
    missed_limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class InvalidSchedule(ValueError):
    """The cron expression or the time zone is none; the message is for people."""


class Rule(Protocol):
    """The due times of one schedule, all of them whole seconds of UTC but that of `at`."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due time after `moment`; None where none will be."""

    def find_latest(self, first: datetime, until: datetime, count: int) -> list[datetime]:
        """The last `count` due times from the due time `first` on and up to `until`, in order; never none."""


def find_config_problems(config: ScheduleConfig, *, now: datetime, is_new: bool) -> list[Problem]:
    """What a schedule cannot be saved with; `is_new`: a moment that is over is a fault."""
    given = [name for name in ("cron", "every_seconds", "at") if getattr(config, name) is not UNSET]
    if len(given) != 1:
        said = " and ".join(given) if given else "none of them"
        message = f"a schedule is due by one of cron, every_seconds and at; here is {said}"
        return [Problem("/config", "schedule_kind", message)]
    problems = []
    try:
        _check_zone(config.timezone)
    except InvalidSchedule as error:
        problems.append(Problem("/config/timezone", "unknown_timezone", str(error)))
    if isinstance(config.cron, str):
        try:
            rule = Cron(config.cron, UTC)
        except InvalidSchedule as error:
            problems.append(Problem("/config/cron", "invalid_cron", str(error)))
        else:
            if rule.next_after(now) is None:
                problems.append(Problem("/config/cron", "never_due", "there is no such day in the next 50 years"))
    if isinstance(config.at, datetime):
        problems.extend(_moment_problems(config.at, now, is_new=is_new))
    return problems


def _moment_problems(at: datetime, now: datetime, *, is_new: bool) -> list[Problem]:
    try:
        moment = at.astimezone(UTC)
    except (OverflowError, ValueError):
        return [Problem("/config/at", "range", "this moment is out of reach: the years 1 to 9999 are known, in UTC")]
    return [Problem("/config/at", "past", "this moment is over")] if is_new and moment <= now else []


def make_rule(config: ScheduleConfig) -> Rule:
    """The due times of a configuration that has no problems."""
    if isinstance(config.cron, str):
        return _read_cron(config.cron, config.timezone)
    if isinstance(config.every_seconds, int):
        return Interval(config.every_seconds)
    if isinstance(config.at, datetime):
        return Once(config.at.astimezone(UTC))
    raise InvalidSchedule("a schedule is due by one of cron, every_seconds and at")


def list_times(rule: Rule, first: datetime | None, count: int = SHOWN_TIMES) -> list[datetime]:
    """The due time `first` and those that follow it, `count` together; fewer where there are no more."""
    times: list[datetime] = []
    while first is not None and len(times) < count:
        times.append(first)
        first = rule.next_after(first)
    return times


def find_zone(name: str) -> Any:
    """The time zone of that name in the IANA database; raises InvalidSchedule."""
    if name == "UTC":
        return UTC
    try:
        zone = ZoneInfo(name)
        # What this machine's own time is must not decide when a schedule is due.
        if name not in {"localtime", "Factory"}:
            return zone
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise InvalidSchedule(f"'{name}' is no time zone; one is named like Europe/Berlin")


def _check_zone(name: str) -> None:
    """Raise InvalidSchedule where there is no such zone, or only some machines have it."""
    find_zone(name)
    if name.startswith(("posix", "right/")):
        raise InvalidSchedule(f"'{name}' is no name of the IANA database; name the zone alone, like Europe/Berlin")


class Cron:
    """Due times by a cron expression of five fields, or of six with seconds before them.

    As in Debian's cron, a time that a change of the clock leaves out is due right after it, and one that comes twice is
    due the first time. Where the minute or the hour is `*` or `*/n`, time goes on as if no clock was changed.
    """

    def __init__(self, expression: str, zone: Any) -> None:
        """Raises InvalidSchedule."""
        self._zone = zone
        try:
            self._start = CronSim(expression, datetime(2000, 1, 1, tzinfo=zone))
        except CronSimError as error:
            raise InvalidSchedule(_explain(str(error))) from None
        except (AssertionError, ValueError, RecursionError):
            # The library's own words for steps over days like `MON#1/2`.
            raise InvalidSchedule("this is no cron expression") from None
        minutes, hours = self._start.parts[1:3]
        if zone is not UTC and not minutes.startswith("*") and not hours.startswith("*"):
            # The library does so for five fields alone: with seconds, 02:30 would be left out or come twice.
            self._start.fixup_tz = zone

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due time after `moment`."""
        return next(self._walk(moment), None)

    def find_latest(self, first: datetime, until: datetime, count: int) -> list[datetime]:
        """The last due times, found by looking back further and further: a year of seconds is never gone through."""
        span = _LOOK_BACK
        while True:
            after = max(until - span, first - _MOMENT)
            found: deque[datetime] = deque(maxlen=count)
            for due in self._walk(after):
                if due > until:
                    break
                found.append(due)
            if len(found) == count or after < first:
                # The zone's rules may have changed since `first` was made.
                return list(found) or [first]
            span *= _LONGER

    def _walk(self, after: datetime) -> Iterator[datetime]:
        walker = copy.copy(self._start)
        local = after.astimezone(self._zone).replace(microsecond=0)
        walker.dt = local.replace(tzinfo=None) if walker.fixup_tz is not None else local
        for moment in walker:
            due = moment.astimezone(UTC)
            # In an hour that comes for the second time, what was due in the first one is found again.
            if due > after:
                after = due
                yield due


class Interval:
    """Due every so many seconds, from any due time on."""

    def __init__(self, seconds: int) -> None:
        self._step = timedelta(seconds=seconds)

    def next_after(self, moment: datetime) -> datetime | None:
        """So many seconds after `moment`, whose fractions of a second are cut off."""
        return moment.replace(microsecond=0) + self._step

    def find_latest(self, first: datetime, until: datetime, count: int) -> list[datetime]:
        """The last due times, by arithmetic."""
        last = max((until - first) // self._step, 0)
        return [first + number * self._step for number in range(max(last - count + 1, 0), last + 1)]


class Once:
    """Due at one moment."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def next_after(self, moment: datetime) -> datetime | None:
        """The moment, as long as it is to come."""
        return self._at if self._at > moment else None

    def find_latest(self, first: datetime, until: datetime, count: int) -> list[datetime]:
        """The moment itself."""
        del until, count
        return [first]


@lru_cache(maxsize=4096)
def _read_cron(expression: str, zone: str) -> Cron:
    return Cron(expression, find_zone(zone))


def _explain(fault: str) -> str:
    """The library's fault as a sentence."""
    field = fault.removeprefix("Bad ")
    if field == fault:
        return "a cron expression has five fields (minute, hour, day, month, weekday), or six with seconds before them"
    return f"the {field} of this cron expression cannot be read, or no month has such a day"


def decode_config(raw: bytes) -> ScheduleConfig:
    """A configuration as it is kept."""
    return msgspec.json.decode(raw, type=ScheduleConfig)
