"""How the web app is served: beside the API, and never in its way."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.main import Application, create_app
from app.web.bundle import BundleFolder, failure_note
from engine.infra.settings import Settings

PAGE = b"<!doctype html><title>FlowForge</title>"
SCRIPT = b"console.log(1);"
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
API_PATHS = ["/v1/nope", "/v1", "/v1/", "/health/nope", "/metrics/nope", "/openapi.json/nope", "/docs/nope"]


def write_bundle(folder: Path, page: bytes = PAGE) -> None:
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_bytes(page)
    (folder / "index.html.gz").write_bytes(gzip.compress(page))
    (folder / "index.html.br").write_bytes(b"brotli")
    (folder / "assets" / "main-AbCd1234.js").write_bytes(SCRIPT)
    (folder / "theme.js").write_bytes(SCRIPT)
    (folder / "stamp.json").write_text("{}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bundle is, if there is one."""
    return tmp_path / "bundle"


@pytest.fixture
def app(folder: Path) -> Application:
    application = create_app(Settings())
    application.state.web = BundleFolder(folder)
    return application


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"accept-encoding": "identity"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://flowforge.test", headers=headers
    ) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/workflows", "/runs/01a2?step=charge", "/no/such/page"])
async def test_a_page_that_a_person_opens_begins_with_the_first_one(
    client: httpx.AsyncClient, folder: Path, path: str
) -> None:
    write_bundle(folder)
    answer = await client.get(path, headers=HTML)
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


async def test_the_policy_of_pages_allows_nothing_inline_and_nothing_from_elsewhere(
    client: httpx.AsyncClient, folder: Path
) -> None:
    write_bundle(folder)
    answer = await client.get("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["font-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", API_PATHS)
async def test_an_unknown_path_of_the_api_stays_a_problem(client: httpx.AsyncClient, folder: Path, path: str) -> None:
    write_bundle(folder)
    answer = await client.get(path, headers=HTML)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/health/live", "/openapi.json"])
async def test_what_the_api_serves_is_not_hidden(client: httpx.AsyncClient, folder: Path, path: str) -> None:
    write_bundle(folder)
    answer = await client.get(path, headers=HTML)
    assert answer.status_code == 200
    assert "json" in answer.headers["content-type"]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        pytest.param("POST", "/workflows", HTML, id="no page is posted to"),
        pytest.param("GET", "/workflows", {"accept": "application/json"}, id="no program is shown a page"),
        pytest.param("GET", "/assets/gone-12345678.js", HTML, id="a file of an earlier bundle"),
        pytest.param("GET", "/robots.txt", HTML, id="a file that was never there"),
        pytest.param("GET", "/../app/main.py", HTML, id="a way out of the folder"),
        pytest.param("GET", "/%2e%2e/app/main.py", HTML, id="a way out of the folder, disguised"),
    ],
)
async def test_what_is_not_there_is_not_found(
    client: httpx.AsyncClient, folder: Path, method: str, path: str, headers: dict[str, str]
) -> None:
    write_bundle(folder)
    answer = await client.request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_files_whose_names_hold_their_content_are_kept_for_ever(client: httpx.AsyncClient, folder: Path) -> None:
    write_bundle(folder)
    script = await client.get("/assets/main-AbCd1234.js")
    assert (script.content, script.headers["content-type"]) == (SCRIPT, "text/javascript; charset=utf-8")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await client.get("/theme.js")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("", None),
        ("identity", None),
    ],
)
async def test_the_best_form_that_the_browser_takes_is_sent(
    app: Application, folder: Path, accepted: str, encoding: str | None
) -> None:
    write_bundle(folder)
    transport = httpx.ASGITransport(app)
    request = httpx.Request("GET", "http://flowforge.test/", headers={"accept-encoding": accepted})
    answer = await transport.handle_async_request(request)
    body = b"".join([chunk async for chunk in answer.stream])  # type: ignore[union-attr]  # asynchronous, as the transport is
    assert answer.headers.get("content-encoding") == encoding
    assert body == {"br": b"brotli", None: PAGE}.get(encoding, body)
    assert int(answer.headers["content-length"]) == len(body)
    assert answer.headers["vary"] == "accept-encoding"


async def test_a_page_that_the_browser_has_is_not_sent_again(client: httpx.AsyncClient, folder: Path) -> None:
    write_bundle(folder)
    etag = (await client.get("/")).headers["etag"]
    for value in (etag, f"W/{etag}", f'"other", {etag}'):
        again = await client.get("/", headers={"if-none-match": value})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await client.get("/", headers={"if-none-match": '"other"'})).status_code == 200


async def test_the_head_of_a_page_is_that_of_the_page(client: httpx.AsyncClient, folder: Path) -> None:
    write_bundle(folder)
    answer = await client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(PAGE)


async def test_a_new_bundle_is_served_without_a_restart(client: httpx.AsyncClient, folder: Path) -> None:
    write_bundle(folder)
    assert (await client.get("/")).content == PAGE
    folder.rename(folder.with_name("old"))
    write_bundle(folder, b"<title>newer</title>")
    assert (await client.get("/")).content == b"<title>newer</title>"


async def test_while_a_bundle_is_exchanged_the_old_one_is_served(client: httpx.AsyncClient, folder: Path) -> None:
    write_bundle(folder)
    assert (await client.get("/")).status_code == 200
    folder.rename(folder.with_name("old"))
    assert (await client.get("/")).content == PAGE


async def test_without_a_bundle_the_page_says_why_and_the_api_goes_on(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers=HTML)
    assert answer.status_code == 503
    assert "has not been built" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert (await client.get("/health/live", headers=HTML)).status_code == 200
    assert (await client.get("/v1/nope", headers=HTML)).status_code == 404


async def test_a_build_that_failed_is_told_as_text(client: httpx.AsyncClient, folder: Path) -> None:
    failure_note(folder).write_text(json.dumps({"why": "npm says <script>alert(1)</script>"}))
    answer = await client.get("/")
    assert answer.status_code == 503
    assert "npm says &lt;script&gt;" in answer.text


async def test_a_call_of_a_hook_never_looks_at_the_web_app(app: Application, client: httpx.AsyncClient) -> None:
    # Whatever were asked of it would raise.
    app.state.web = None
    answer = await client.get("/v1/hooks/unknown", headers=HTML)
    assert answer.headers["content-type"] == "application/problem+json"
