"""`/docs/api`: the whole API on one page, for people."""

from html.parser import HTMLParser

import pytest

from app.reference.page import render_page
from tests.integration.api.callers import Api

VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, its id and where it leads."""
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                assert value not in self.ids
                self.ids.add(str(value))
            elif name in ("href", "src"):
                self.links.add(str(value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """What is closed was the last that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text += data


@pytest.fixture
async def page(api: Api) -> Page:
    """The page, as anybody gets it."""
    answer = await api.client().get("/docs/api")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return Page(answer.text)


async def test_every_call_and_every_schema_is_on_the_page(api: Api, page: Page) -> None:
    document = (await api.client().get("/openapi.json")).json()
    operations = [
        operation
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict) and "operationId" in operation
    ]
    assert len(operations) > 60
    assert {operation["operationId"] for operation in operations} <= page.ids
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= page.ids
    for path in document["paths"]:
        assert path in page.text


async def test_the_page_is_whole_and_leads_to_nothing_that_is_not_there(api: Api, page: Page) -> None:
    assert page.open == []
    assert "script" not in page.tags
    inner = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inner <= page.ids
    assert {link for link in page.links if not link.startswith("#")} == {"/", "/openapi.json", "/docs/api.css"}
    style = await api.client().get("/docs/api.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "'unsafe" not in (await api.client().get("/docs/api")).headers["content-security-policy"]


def test_texts_are_texts_and_never_markup() -> None:
    evil = "<script>alert('x')</script>"
    document = {
        "info": {"title": evil, "version": evil, "description": evil},
        "paths": {
            f"/{evil}": {
                "get": {
                    "operationId": "x",
                    "summary": evil,
                    "description": evil,
                    "tags": [evil],
                    "parameters": [{"name": evil, "in": "query", "schema": {"enum": [evil], "default": evil}}],
                    "responses": {"200": {"description": evil}},
                }
            }
        },
        "components": {"schemas": {evil: {"properties": {evil: {"const": evil}}}}},
    }
    page = render_page(document).decode()
    assert "<script" not in page
    assert evil in Page(page).text
