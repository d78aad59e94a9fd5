"""The page on security has the table of access that the guards give."""

from cli.access import PAGE, make_page, make_table
from tests.integration.api.access import ASKED, PUBLIC


def test_the_table_of_access_is_as_generated() -> None:
    assert PAGE.read_text() == make_page(), "docs/security.md is stale: run `./flowforge docs`"


def test_the_table_of_access_has_a_row_for_every_call() -> None:
    rows = make_table().splitlines()[2:]
    calls = {row.split("`")[1] for row in rows}
    # The document does not name itself, and the pages that are made of it.
    assert calls == ASKED.keys() | PUBLIC | {"GET /openapi.json", "GET /docs/api", "GET /docs/api.css"}
    assert len(rows) == len(calls)
