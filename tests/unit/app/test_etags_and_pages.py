from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidCursor, PreconditionRequired
from app.etags import make_etag, matches, require_if_match
from app.pagination import decode_cursor, encode_cursor, make_page


@pytest.mark.parametrize(
    ("if_match", "is_match"),
    [
        ('"3"', True),
        ("*", True),
        (' "1" , "3" ', True),
        ('W/"3"', False),
        ('"33"', False),
        ("3", False),
        ("", False),
        ('"', False),
        ('"3', False),
        ('"**"', False),
        ('W/"1", "3"', True),
    ],
)
def test_if_match_is_compared_strongly(if_match: str, is_match: bool) -> None:
    assert matches(if_match, make_etag(3)) is is_match


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_precondition_is_asked_for(value: str | None) -> None:
    with pytest.raises(PreconditionRequired):
        require_if_match(value)


@given(position=st.uuids())
def test_a_cursor_stands_for_its_position(position: UUID) -> None:
    assert decode_cursor(encode_cursor(position)) == position


@given(cursor=st.text(max_size=40))
def test_a_cursor_is_read_or_refused(cursor: str) -> None:
    try:
        assert isinstance(decode_cursor(cursor), UUID)
    except InvalidCursor:
        return


@pytest.mark.parametrize(("count", "kept", "has_next"), [(0, 0, False), (1, 1, False), (2, 2, False), (3, 2, True)])
def test_a_page_knows_whether_there_is_another(count: int, kept: int, has_next: bool) -> None:
    rows = [uuid4() for _ in range(count)]
    page = make_page(rows, 2, str, lambda row: row)
    assert page.items == [str(row) for row in rows[:kept]]
    assert page.next_cursor == (encode_cursor(rows[1]) if has_next else None)
