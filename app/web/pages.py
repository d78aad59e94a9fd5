"""The web app at `/`: its files, and its first page for every address that a person may open.

It stands beside the framework's routes and takes only what none of them could be meant for, so that an unknown path of
the API goes on to answer as a problem document.
"""

from html import escape
from typing import Any, Final

from litestar.types import HTTPScope, Send

from app.web.bundle import HASHED, INDEX, Asset, Bundle, BundleFolder

_TEMPLATE: Final = "/{web}"
_METHODS: Final = frozenset({"GET", "HEAD"})
_API_PATHS: Final = ("/v1", "/health", "/metrics", "/openapi.json", "/docs/")
_HTML: Final = b"text/html; charset=utf-8"
_RETRY_SECONDS: Final = b"10"
_MISSING: Final = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>FlowForge</title></head>
<body>
<main>
<h1>FlowForge is running</h1>
<p>The web app is not there: {why}</p>
<p>Everything else works: the API is at <code>/v1</code>, its description at
<a href="/openapi.json">/openapi.json</a>, and <code>./flowforge --help</code> lists the commands.</p>
</main>
</body>
</html>
"""
_NEVER_BUILT: Final = (
    "it has not been built. <code>./flowforge up</code> builds it, and <code>./flowforge ui build</code>."
)
_FAILED: Final = "the last build failed. {why} <code>./flowforge ui build</code> tries again."

Headers = list[tuple[bytes, bytes]]


def is_for_web_app(scope: HTTPScope) -> bool:
    """Whether a request is for the web app: a file of it, or a page that a person opens."""
    path = scope["path"]
    if scope["method"] not in _METHODS or path.startswith(_API_PATHS):
        return False
    return path == "/" or path.startswith(f"/{HASHED}") or "." in path or _wants_page(scope)


async def serve_web_app(folder: BundleFolder, scope: HTTPScope, send: Send) -> bool:
    """Serve a request for which `is_for_web_app` holds; False where no such file is there, and nothing was sent."""
    bundle = folder.load()
    if bundle is None:
        if scope["path"] != "/" and not _wants_page(scope):
            return False
        await _answer_missing(folder.read_failure(), scope, send)
        return True
    asset = _find(bundle, scope)
    if asset is None:
        return False
    scope["path_template"] = _TEMPLATE
    await _answer_asset(asset, scope, send)
    return True


def _find(bundle: Bundle, scope: HTTPScope) -> Asset | None:
    name = scope["path"].lstrip("/") or INDEX
    if (asset := bundle.assets.get(name)) is not None:
        return asset
    is_file = name.startswith(HASHED) or "." in name.rpartition("/")[2]
    # A file of an earlier bundle is gone: a page in its place would be taken for a script.
    return bundle.index if not is_file and _wants_page(scope) else None


def _wants_page(scope: HTTPScope) -> bool:
    return b"text/html" in _header(scope, b"accept")


async def _answer_asset(asset: Asset, scope: HTTPScope, send: Send) -> None:
    accepted = {part.partition(b";")[0].strip().decode("latin-1") for part in _accepted_encodings(scope)}
    encoding = next((name for name in asset.bodies if name in accepted), "")
    etag = f'"{asset.etag}{"-" if encoding else ""}{encoding}"'.encode()
    headers: Headers = [
        (b"content-type", asset.media_type.encode()),
        (b"cache-control", asset.cache_control.encode()),
        (b"etag", etag),
        (b"vary", b"accept-encoding"),
    ]
    if etag in [tag.strip().removeprefix(b"W/") for tag in _header(scope, b"if-none-match").split(b",")]:
        await _send(send, 304, headers, b"")
        return
    body = asset.bodies[encoding]
    if encoding:
        headers.append((b"content-encoding", encoding.encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    await _send(send, 200, headers, b"" if scope["method"] == "HEAD" else body)


async def _answer_missing(failure: str, scope: HTTPScope, send: Send) -> None:
    scope["path_template"] = _TEMPLATE
    why = _FAILED.format(why=escape(failure)) if failure else _NEVER_BUILT
    body = _MISSING.format(why=why).encode()
    headers: Headers = [
        (b"content-type", _HTML),
        (b"cache-control", b"no-store"),
        (b"retry-after", _RETRY_SECONDS),
        (b"content-length", str(len(body)).encode()),
    ]
    await _send(send, 503, headers, b"" if scope["method"] == "HEAD" else body)


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    start: Any = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _accepted_encodings(scope: HTTPScope) -> list[bytes]:
    parts = _header(scope, b"accept-encoding").split(b",")
    return [part for part in parts if not part.replace(b" ", b"").endswith((b";q=0", b";q=0.0"))]


def _header(scope: HTTPScope, name: bytes) -> bytes:
    return next((value for found, value in scope["headers"] if found == name), b"")
