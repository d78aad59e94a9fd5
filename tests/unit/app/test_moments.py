"""Times in queries."""

from datetime import UTC, datetime

import pytest

from app.errors import InvalidRequest
from app.moments import read_floor, read_moment


@pytest.mark.parametrize(
    "text", ["2027-01-01T10:00:00Z", "2027-01-01T12:00:00+02:00", "2027-01-01T10:00:00", "2027-01-01t10:00:00.000z"]
)
def test_a_time_is_read_with_its_zone_and_in_utc_without_one(text: str) -> None:
    assert read_moment(text, "since") == datetime(2027, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("-813", "format"),
        ("1798797600", "format"),
        ("1e9", "format"),
        ("", "format"),
        ("2027-01-01", "format"),
        ("2027-02-30T00:00:00Z", "format"),
        ("0001-01-01T00:00:00+23:00", "range"),
        ("1960-01-01T00:00:00Z", "range"),
    ],
)
def test_what_is_no_time_is_refused_with_its_place(text: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_floor(text, "until")
    (problem,) = refused.value.errors
    assert (problem.pointer, problem.code) == ("/query/until", code)


def test_no_time_is_no_bound() -> None:
    assert read_floor(None, "since") is None
