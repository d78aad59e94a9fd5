"""The session of a browser: its refresh token lives in a cookie that no script can read.

A client asks for it by the header `X-FlowForge-Session: cookie`. Pages of other origins cannot send it, so that
the cookie counts only where the web app itself is calling. Where the browser says besides that a page of another
origin is calling, it counts for nothing whatever else is sent.
"""

from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Request
from litestar.datastructures import Cookie
from litestar.response import Response

from app.auth.schemas import Tokens
from app.auth.service import REFRESH_LIFETIME
from app.errors import InvalidRefreshToken

HEADER: Final = "x-flowforge-session"
_KEPT: Final = "cookie"
_HTTPS: Final = "https"
# `none`: no page, but the person at the browser.
_OWN_SITE: Final = ("same-origin", "none")

AnyRequest = Request[Any, Any, Any]


def is_kept_in_cookie(request: AnyRequest) -> bool:
    """Whether the caller wants its refresh token to be kept in the cookie, and is no page of another origin."""
    return request.headers.get(HEADER) == _KEPT and not _is_of_another_origin(request)


def _is_of_another_origin(request: AnyRequest) -> bool:
    """Whether the browser says so: by itself, or, where it is an older one, by an origin that is not the public one."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN_SITE
    origin, public_url = request.headers.get("origin"), request.app.state.settings.public_url
    # Without a public address it is not known which origin is ours: proxies may give us another host's name.
    return bool(origin and public_url) and origin != "{0.scheme}://{0.netloc}".format(urlsplit(public_url))


def answer_tokens(request: AnyRequest, tokens: Tokens, status: int) -> Response[Tokens]:
    """The tokens; the refresh token in the cookie, and an empty one in the body, where the caller wants that."""
    if not is_kept_in_cookie(request):
        return Response(tokens, status_code=status)
    shown = msgspec.structs.replace(tokens, refresh_token="")
    return Response(shown, status_code=status, cookies=[keep_cookie(request, tokens)])


def keep_cookie(request: AnyRequest, tokens: Tokens) -> Cookie:
    """The cookie that keeps the refresh token."""
    return _cookie(request, tokens.refresh_token, int(REFRESH_LIFETIME.total_seconds()))


def read_cookie(request: AnyRequest) -> str:
    """The refresh token of the cookie; raises InvalidRefreshToken where there is none."""
    token: str | None = request.cookies.get(_name(request))
    if not token:
        raise InvalidRefreshToken
    return token


def forget_cookie(request: AnyRequest) -> Cookie:
    """The cookie that ends the one that is there."""
    return _cookie(request, "", 0)


def _cookie(request: AnyRequest, value: str, seconds: int) -> Cookie:
    return make_cookie(request, _name(request), value, seconds, "strict")


def make_cookie(
    request: AnyRequest, name: str, value: str, seconds: int, same_site: Literal["strict", "lax"]
) -> Cookie:
    """A cookie that no script reads, for this host alone and for so long."""
    return Cookie(
        key=name,
        value=value,
        path="/",
        max_age=seconds,
        secure=is_https(request),
        httponly=True,
        samesite=same_site,
    )


def _name(request: AnyRequest) -> str:
    """Browsers hold `__Host-` to https and to this very host. Without https, ports of one host share their cookies."""
    return "__Host-flowforge" if is_https(request) else f"flowforge-{request.app.state.settings.port}"


def is_https(request: AnyRequest) -> bool:
    """Whether browsers reach this over https."""
    public_url: str = request.app.state.settings.public_url
    return public_url.startswith(f"{_HTTPS}:") if public_url else request.url.scheme == _HTTPS
