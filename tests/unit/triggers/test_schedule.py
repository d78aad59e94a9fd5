"""When schedules are due, over both changes of the clock."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from engine.triggers.schedule import (
    ScheduleConfig,
    decode_config,
    find_config_problems,
    list_times,
    make_rule,
)

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    """A moment, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def times(config: dict[str, Any], after: datetime, count: int = 5) -> list[datetime]:
    """The due times of a configuration after a moment."""
    rule = make_rule(msgspec.convert(config, ScheduleConfig))
    return list_times(rule, rule.next_after(after), count)


def local(config: dict[str, Any], after: str, count: int) -> list[str]:
    """The due times after a moment as the clocks of the schedule's zone show them, with the offset of their time."""
    zone = ZoneInfo(config["timezone"])
    return [f"{due.astimezone(zone):%d %H:%M:%S %z}" for due in times(config, at(after), count)]


@pytest.mark.parametrize(
    ("zone", "before", "expected"),
    [
        pytest.param(
            "Europe/Berlin",
            "2026-03-28T00:00:00+01:00",
            ["28 02:30:00 +0100", "29 03:00:00 +0200", "30 02:30:00 +0200"],
            id="spring in Berlin: half past two does not exist",
        ),
        pytest.param(
            "Europe/Berlin",
            "2026-10-24T00:00:00+02:00",
            ["24 02:30:00 +0200", "25 02:30:00 +0200", "26 02:30:00 +0100"],
            id="autumn in Berlin: half past two comes twice",
        ),
        pytest.param(
            "America/New_York",
            "2026-03-07T00:00:00-05:00",
            ["07 02:30:00 -0500", "08 03:00:00 -0400", "09 02:30:00 -0400"],
            id="spring in New York: half past two does not exist",
        ),
        pytest.param(
            "America/New_York",
            "2026-10-31T00:00:00-04:00",
            ["31 02:30:00 -0400", "01 02:30:00 -0500", "02 02:30:00 -0500"],
            id="autumn in New York: half past two comes once",
        ),
    ],
)
@pytest.mark.parametrize("expression", ["30 2 * * *", "0 30 2 * * *"], ids=["five fields", "with seconds"])
def test_a_daily_time_is_due_once_a_day_whatever_the_clocks_do(
    zone: str, before: str, expected: list[str], expression: str
) -> None:
    assert local({"cron": expression, "timezone": zone}, before, 3) == expected


@pytest.mark.parametrize("expression", ["30 1 * * *", "15 30 1 * * *"], ids=["five fields", "with seconds"])
def test_a_daily_time_in_the_hour_that_comes_twice_in_new_york_is_due_the_first_time(expression: str) -> None:
    found = times({"cron": expression, "timezone": "America/New_York"}, at("2026-10-31T12:00:00-04:00"), 2)
    assert [due.replace(second=0) for due in found] == [
        at("2026-11-01T01:30:00-04:00"),
        at("2026-11-02T01:30:00-05:00"),
    ]


@pytest.mark.parametrize(
    ("zone", "midnight", "hours"),
    [
        pytest.param("Europe/Berlin", "2026-03-29T00:00:00+01:00", 23, id="spring in Berlin"),
        pytest.param("Europe/Berlin", "2026-10-25T00:00:00+02:00", 25, id="autumn in Berlin"),
        pytest.param("America/New_York", "2026-03-08T00:00:00-05:00", 23, id="spring in New York"),
        pytest.param("America/New_York", "2026-11-01T00:00:00-04:00", 25, id="autumn in New York"),
    ],
)
def test_every_half_hour_goes_on_evenly_when_the_clocks_change(zone: str, midnight: str, hours: int) -> None:
    start = at(midnight)
    found = times({"cron": "*/30 * * * *", "timezone": zone}, start - timedelta(seconds=1), 2 * hours + 1)
    assert found == [start + timedelta(minutes=30) * number for number in range(2 * hours + 1)]
    assert found[-1].astimezone(ZoneInfo(zone)).hour == 0, "the next midnight"


def test_what_was_due_in_the_hour_before_is_not_due_again_in_its_second_coming() -> None:
    # 02:40 winter time: what was due at 02:50 summer time is over.
    after = at("2026-10-25T02:40:00+01:00")
    assert times({"cron": "50 2 * * *", "timezone": "Europe/Berlin"}, after, 1) == [at("2026-10-26T02:50:00+01:00")]


def test_a_time_that_was_made_up_for_is_not_due_again() -> None:
    after = at("2026-03-29T03:00:00+02:00")
    assert times({"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, after, 1) == [at("2026-03-30T02:30:00+02:00")]


def test_due_times_only_go_forward_through_both_changes() -> None:
    for expression in ("15,45 1-3 * * *", "*/7 1-3 * * *", "30 */2 * * *", "*/20 * 2 * * *"):
        for start in ("2026-03-28T12:00:00+00:00", "2026-10-24T12:00:00+00:00"):
            rule = make_rule(ScheduleConfig(cron=expression, timezone="Europe/Berlin"))
            found = list_times(rule, rule.next_after(at(start)), 60)
            assert found == sorted(set(found)), expression
            # From whatever moment one asks, the next one is the same.
            for earlier, later in pairwise(found):
                assert rule.next_after(earlier) == later
                assert rule.next_after(later - timedelta(microseconds=1)) == later, (expression, later)


def test_seconds_are_optional_and_come_first() -> None:
    assert times({"cron": "*/20 * * * * *"}, at("2026-01-01T00:00:10+00:00"), 3) == [
        at("2026-01-01T00:00:20+00:00"),
        at("2026-01-01T00:00:40+00:00"),
        at("2026-01-01T00:01:00+00:00"),
    ]


def test_an_interval_is_counted_from_the_last_due_time_in_whole_seconds() -> None:
    assert times({"every_seconds": 90}, at("2026-01-01T00:00:10.700000+00:00"), 2) == [
        at("2026-01-01T00:01:40+00:00"),
        at("2026-01-01T00:03:10+00:00"),
    ]


def test_a_moment_is_due_once() -> None:
    moment = at("2026-01-01T10:00:00.5+02:00")
    config = {"at": "2026-01-01T10:00:00.5+02:00"}
    assert times(config, moment - timedelta(seconds=1)) == [moment]
    assert times(config, moment) == []


@pytest.mark.parametrize("count", [1, 7, 1000])
@pytest.mark.parametrize(
    ("config", "first"),
    [
        ({"every_seconds": 37}, "2026-03-28T00:00:00+00:00"),
        ({"cron": "*/5 * * * *", "timezone": "Europe/Berlin"}, "2026-03-28T00:00:00+00:00"),
        ({"cron": "30 2 * * *", "timezone": "Europe/Berlin"}, "2025-03-28T01:30:00+00:00"),
        ({"cron": "*/10 * 3 * * *", "timezone": "America/New_York"}, "2026-03-28T07:00:00+00:00"),
    ],
    ids=["interval", "often", "daily", "an hour a day"],
)
def test_the_latest_due_times_are_those_at_the_end_of_all(config: dict[str, Any], first: str, count: int) -> None:
    rule = make_rule(msgspec.convert(config, ScheduleConfig))
    until = at("2026-03-30T06:00:01+00:00")
    every: list[datetime] = []
    due: datetime | None = at(first)
    while due is not None and due <= until:
        every.append(due)
        due = rule.next_after(due)
    assert rule.find_latest(at(first), until, count) == every[-count:]


def test_a_due_time_that_the_zone_has_no_more_is_still_the_latest() -> None:
    rule = make_rule(ScheduleConfig(cron="30 2 1 1 *", timezone="Europe/Berlin"))
    odd = at("2026-02-01T01:17:00+00:00")
    assert rule.find_latest(odd, odd + timedelta(days=1), 5) == [odd]


@pytest.mark.parametrize(
    ("config", "pointer", "code"),
    [
        pytest.param({}, "/config", "schedule_kind", id="nothing"),
        pytest.param({"cron": "* * * * *", "every_seconds": 5}, "/config", "schedule_kind", id="two of them"),
        pytest.param({"cron": "nonsense"}, "/config/cron", "invalid_cron", id="no cron"),
        pytest.param({"cron": "61 * * * *"}, "/config/cron", "invalid_cron", id="no such minute"),
        pytest.param({"cron": "* * * *"}, "/config/cron", "invalid_cron", id="four fields"),
        pytest.param({"cron": "0 0 * * MON#1/2"}, "/config/cron", "invalid_cron", id="what the library trips over"),
        pytest.param({"cron": "0 0 * * ²L"}, "/config/cron", "invalid_cron", id="digits of another kind"),
        pytest.param({"cron": "0 0 30 2 *"}, "/config/cron", "invalid_cron", id="the thirtieth of February"),
        pytest.param(
            {"cron": "0 0 */31 2 MON#2"}, "/config/cron", "never_due", id="the first of a month, in its middle"
        ),
        pytest.param({"every_seconds": 5, "timezone": "Mars/Base"}, "/config/timezone", "unknown_timezone", id="zone"),
        pytest.param(
            {"cron": "* * * * *", "timezone": "../../etc/passwd"}, "/config/timezone", "unknown_timezone", id="a path"
        ),
        pytest.param(
            {"cron": "* * * * *", "timezone": "Europe"}, "/config/timezone", "unknown_timezone", id="a folder of zones"
        ),
        pytest.param(
            {"cron": "* * * * *", "timezone": "a/\0b"}, "/config/timezone", "unknown_timezone", id="a zone with NUL"
        ),
        pytest.param(
            {"cron": "* * * * *", "timezone": "localtime"}, "/config/timezone", "unknown_timezone", id="this machine's"
        ),
        pytest.param(
            {"cron": "* * * * *", "timezone": "right/UTC"},
            "/config/timezone",
            "unknown_timezone",
            id="with leap seconds",
        ),
        pytest.param({"at": "2026-01-01T00:00:00Z"}, "/config/at", "past", id="over"),
        pytest.param({"at": "9999-12-31T23:59:59-12:00"}, "/config/at", "range", id="out of reach"),
    ],
)
def test_a_schedule_that_cannot_be_is_told_with_its_place(config: dict[str, Any], pointer: str, code: str) -> None:
    problems = find_config_problems(
        msgspec.convert(config, ScheduleConfig), now=at("2026-06-01T00:00:00+00:00"), is_new=True
    )
    assert [(problem.pointer, problem.code) for problem in problems] == [(pointer, code)]
    assert all(problem.message for problem in problems)


@pytest.mark.parametrize("zone", ["NZ-CHAT", "GMT+0", "EST5EDT", "America/Argentina/Buenos_Aires"])
def test_any_zone_of_the_database_is_taken(zone: str) -> None:
    config = ScheduleConfig(cron="0 0 * * *", timezone=zone)
    assert find_config_problems(config, now=at("2026-06-01T00:00:00+00:00"), is_new=True) == []


def test_all_faults_of_a_schedule_are_told_at_once() -> None:
    config = ScheduleConfig(cron="x", timezone="y")
    problems = find_config_problems(config, now=at("2026-06-01T00:00:00+00:00"), is_new=True)
    assert {problem.pointer for problem in problems} == {"/config/cron", "/config/timezone"}


def test_a_moment_that_is_over_may_be_kept_switched_off() -> None:
    config = decode_config(b'{"at": "2026-01-01T00:00:00Z"}')
    assert find_config_problems(config, now=at("2026-06-01T00:00:00+00:00"), is_new=False) == []


@pytest.mark.parametrize("raw", [b'{"at": "2026-01-01T00:00:00"}', b'{"every_seconds": 0}', b'{"every_seconds": 1.5}'])
def test_a_value_of_another_kind_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_config(raw)
