"""Times in queries. They are read from their text: the framework would take a bare number for a time as well."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.params import QueryParameter

from app.errors import InvalidRequest
from engine.core.problems import Problem
from engine.infra.ids import floor_id

# The longest that RFC 3339 has use for: nine digits of a second, and a zone.
Moment = Annotated[
    str | None,
    QueryParameter(
        format="date-time", max_length=35, description="a time like 2027-01-01T00:00:00Z; UTC without a zone"
    ),
]


def read_moment(text: str, name: str) -> datetime:
    """The time in UTC that the query parameter `name` gave, without a zone taken for UTC; raises InvalidRequest."""
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise _refuse(name, "format", "this is no time like 2027-01-01T00:00:00Z") from None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise _refuse(name, "range", "there is no such time") from None


def read_floor(text: str | None, name: str) -> UUID | None:
    """The first id of the time that the query parameter `name` gave, if it did; raises InvalidRequest."""
    if text is None:
        return None
    try:
        return floor_id(read_moment(text, name))
    except (ValueError, OverflowError):
        raise _refuse(name, "range", "this time is before 1970 or too far ahead") from None


def _refuse(name: str, code: str, message: str) -> InvalidRequest:
    return InvalidRequest(errors=[Problem(f"/query/{name}", code, message)])
