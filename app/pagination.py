"""Lists: newest first, in pages, with an opaque cursor."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from litestar.params import QueryParameter
from msgspec import Struct

from app.errors import InvalidCursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="how many items a page holds at most")]
Cursor = Annotated[str | None, QueryParameter(max_length=512, description="next_cursor of the page before")]

WholeLimit = Annotated[
    int | None,
    QueryParameter(ge=1, le=MAX_LIMIT, description="how many items a page holds at most; all if left out"),
]

Item = TypeVar("Item")
Row = TypeVar("Row")


class Page(Struct, Generic[Item], frozen=True, kw_only=True):
    """One page of a list. `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: str | None


def encode_cursor(position: UUID) -> str:
    """The cursor that goes on after the item with this id."""
    return base64.urlsafe_b64encode(b"1" + position.bytes).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> UUID | None:
    """The id that a cursor stands for; raises InvalidCursor for what this API never gave out."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidCursor from None
    if len(raw) != 17 or raw[:1] != b"1":  # noqa: PLR2004 - a version byte and the bytes of a UUID
        raise InvalidCursor
    return UUID(bytes=raw[1:])


def make_page(
    rows: Sequence[Row], limit: int, make_item: Callable[[Row], Item], position: Callable[[Row], UUID]
) -> Page[Item]:
    """A page of `rows`, of which one more than `limit` was asked for to know whether there is a next page."""
    kept = rows[:limit]
    more = len(rows) > limit
    return Page(items=[make_item(row) for row in kept], next_cursor=encode_cursor(position(kept[-1])) if more else None)


def cut_page(
    items: Sequence[Item], limit: int | None, cursor: str | None, name: Callable[[Item], str]
) -> tuple[list[Item], str | None]:
    """A page of a list that is read whole, for it is short, and its `next_cursor`; `name` tells its items apart.

    Raises InvalidCursor, also where the item that the page before ended with is there no more.
    """
    first = 0 if cursor is None else _find_after(items, cursor, name)
    end = len(items) if limit is None else first + limit
    kept = list(items[first:end])
    if end >= len(items):
        return kept, None
    return kept, base64.urlsafe_b64encode(b"2" + name(kept[-1]).encode()).decode().rstrip("=")


def _find_after(items: Sequence[Item], cursor: str, name: Callable[[Item], str]) -> int:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        last = raw[1:].decode()
    except (binascii.Error, ValueError):
        raise InvalidCursor from None
    for number, item in enumerate(items if raw[:1] == b"2" else ()):
        if name(item) == last:
            return number + 1
    raise InvalidCursor
