"""Timestamps and durations: reading, arithmetic and their parts."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from engine.core.expressions.errors import EvaluationError
from engine.core.expressions.fuel import Fuel
from engine.core.expressions.values import cannot_take

MAX_DURATION = timedelta(seconds=315_576_000_000)

_ZONE_SEARCH_COST = 3000
_LONGEST_TEXT = 128
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_DURATION_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(h|ms|m|us|µs|μs|ns|s)")
_NANOSECONDS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ns": 1,
}
_OFFSET = re.compile(r"([+-]?)([0-9]{2}):([0-9]{2})")
_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")


def parse_timestamp(text: str) -> datetime:
    """A moment from RFC 3339; digits below a microsecond are cut off."""
    if len(text) > _LONGEST_TEXT or not _RFC_3339.fullmatch(text):
        raise _unreadable_timestamp()
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unreadable_timestamp() from None


def timestamp_of_seconds(seconds: int) -> datetime:
    """The moment so many seconds after 1970."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise _out_of_range("timestamp") from None


def seconds_since_epoch(moment: datetime) -> int:
    """Whole seconds since 1970, rounded down."""
    return (moment - _EPOCH) // _SECOND


def parse_duration(text: str) -> timedelta:
    """A duration such as `1h30m`, `1.5s` or `-250ms`; digits below a microsecond are cut off."""
    if len(text) > _LONGEST_TEXT:
        raise _unreadable_duration()
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return timedelta(0)
    nanoseconds = 0
    position = 0
    while position < len(unsigned):
        found = _DURATION_PART.match(unsigned, position)
        if found is None or not (found[1] or found[2]):
            raise _unreadable_duration()
        unit = _NANOSECONDS[found[3]]
        fraction = found[2] or ""
        nanoseconds += int(found[1] or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = found.end()
    if not unsigned:
        raise _unreadable_duration()
    microseconds = nanoseconds // 1000
    duration: timedelta = in_range(lambda: timedelta(microseconds=-microseconds if text[0] == "-" else microseconds))
    return duration


def in_range(calculate: Callable[[], Any]) -> Any:
    """The result of arithmetic with times; raises `EvaluationError` where it leaves their range."""
    try:
        result = calculate()
    except OverflowError:
        raise _out_of_range("result") from None
    if type(result) is timedelta and abs(result) > MAX_DURATION:
        raise _out_of_range("duration")
    return result


def _zone(fuel: Fuel, name: Any, accessor: str, moment: Any) -> tzinfo:
    if type(name) is not str:
        raise cannot_take(accessor, moment, name)
    if name == "UTC":
        return UTC
    if offset := _OFFSET.fullmatch(name):
        return _fixed_zone(*offset.groups())
    if not _ZONE_NAME.fullmatch(name):
        raise _unknown_zone()
    try:
        return _load_zone(name)
    except (KeyError, ValueError, OSError):
        fuel.spend(_ZONE_SEARCH_COST)
        raise _unknown_zone() from None


@lru_cache(maxsize=1024)
def _load_zone(name: str) -> ZoneInfo:
    # There are fewer zones than this keeps, so that each is read only once.
    return ZoneInfo(name)


def _fixed_zone(sign: str, hours: str, minutes: str) -> tzinfo:
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        return timezone(-offset if sign == "-" else offset)
    except ValueError:
        raise _unknown_zone() from None


def _date_part(name: str, part: Callable[[datetime], int]) -> Callable[..., int]:
    def read(fuel: Fuel, value: Any, zone: Any = None) -> int:
        if type(value) is not datetime:
            raise cannot_take(name, value)
        return part(_in_zone(fuel, value, zone, name))

    return read


def _clock_part(
    name: str, part: Callable[[datetime], int], of_duration: Callable[[timedelta], int]
) -> Callable[..., int]:
    read_date = _date_part(name, part)

    def read(fuel: Fuel, value: Any, zone: Any = None) -> int:
        if type(value) is timedelta and zone is None:
            return of_duration(value)
        return read_date(fuel, value, zone)

    return read


def _in_zone(fuel: Fuel, moment: datetime, zone: Any, name: str) -> datetime:
    try:
        return moment.astimezone(UTC if zone is None else _zone(fuel, zone, name, moment))
    except OverflowError:
        raise _out_of_range("timestamp in this time zone") from None


def _truncate(duration: timedelta, unit: timedelta) -> int:
    whole = abs(duration) // unit
    return -whole if duration < timedelta(0) else whole


def _milliseconds(duration: timedelta) -> int:
    whole = _truncate(duration, timedelta(milliseconds=1))
    return whole % 1000 if whole >= 0 else -(-whole % 1000)


ACCESSORS: dict[str, Callable[..., int]] = {
    "getFullYear": _date_part("getFullYear", lambda moment: moment.year),
    "getMonth": _date_part("getMonth", lambda moment: moment.month - 1),
    "getDate": _date_part("getDate", lambda moment: moment.day),
    "getDayOfMonth": _date_part("getDayOfMonth", lambda moment: moment.day - 1),
    "getDayOfWeek": _date_part("getDayOfWeek", lambda moment: moment.isoweekday() % 7),
    "getDayOfYear": _date_part("getDayOfYear", lambda moment: moment.timetuple().tm_yday - 1),
    "getHours": _clock_part(
        "getHours", lambda moment: moment.hour, lambda duration: _truncate(duration, timedelta(hours=1))
    ),
    "getMinutes": _clock_part(
        "getMinutes", lambda moment: moment.minute, lambda duration: _truncate(duration, timedelta(minutes=1))
    ),
    "getSeconds": _clock_part(
        "getSeconds", lambda moment: moment.second, lambda duration: _truncate(duration, _SECOND)
    ),
    "getMilliseconds": _clock_part("getMilliseconds", lambda moment: moment.microsecond // 1000, _milliseconds),
}


def _unreadable_timestamp() -> EvaluationError:
    return EvaluationError("invalid_argument", "no timestamp: write it as in 2025-01-31T09:00:00Z")


def _unreadable_duration() -> EvaluationError:
    return EvaluationError("invalid_argument", "no duration: write it as in 1h30m, 45s or 250ms")


def _unknown_zone() -> EvaluationError:
    return EvaluationError("invalid_argument", "no such time zone: write it as in Europe/Berlin or +02:00")


def _out_of_range(what: str) -> EvaluationError:
    return EvaluationError("overflow", f"the {what} is out of range")
