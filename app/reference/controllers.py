"""`/docs/api`: what the API offers, for people."""

from typing import Any

from litestar import MediaType, Request, Response, get

from app.openapi import build_document
from app.reference.page import STYLE, STYLE_PATH, render_page

_HOUR = {"cache-control": "public, max-age=3600"}


@get("/docs/api", include_in_schema=False, public=True, sync_to_thread=False)
def get_reference(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The page, built once."""
    state = request.app.state
    if "reference" not in state:
        state.reference = render_page(build_document(request.app))
    return Response(state.reference, media_type=MediaType.HTML, headers=_HOUR)


@get(STYLE_PATH, include_in_schema=False, public=True, sync_to_thread=False)
def get_reference_style() -> Response[str]:
    """Its style."""
    return Response(STYLE, media_type=MediaType.CSS, headers=_HOUR)
