"""A sign-in under way, between leaving for the provider and coming back.

What has to be remembered is sealed into a cookie of the browser that has begun it: nothing is kept here for those who
never come back, and nobody else's browser can bring it to an end.
"""

import base64
import binascii
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import Cookie
from msgspec import Struct

from app.auth.browser import is_https, make_cookie
from app.auth.oidc.errors import Failure, SignInFailed
from engine.infra.secrets import SecretBox, SecretError

PURPOSE: Final = "oidc-sign-in"
LIFETIME_SECONDS: Final = 600
# Another process may have written the cookie, on another machine.
_SKEW_SECONDS: Final = 10
_PLACE: Final = "cookie/oidc"
_RANDOM_BYTES: Final = 32
_NEXT = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")
_LONGEST_NEXT: Final = 1000
_LONGEST_COOKIE: Final = 4096

AnyRequest = Request[Any, Any, Any]


class Link(Struct, frozen=True, kw_only=True):
    """The session that wants the provider's word for its user from now on."""

    user_id: UUID
    workspace_id: UUID
    session_id: UUID


class Flow(Struct, frozen=True, kw_only=True):
    """What a sign-in is bound to, and the page that it leads to.

    With `link`, somebody is signed in already; with `invitation`, its secret, somebody joins by it.
    """

    issuer: str
    state: str
    nonce: str
    verifier: str
    next: str
    began_at: int
    link: Link | None = None
    invitation: str | None = None

    @property
    def state_hash(self) -> bytes:
        """What is kept of it once it is used."""
        return hashlib.sha256(self.state.encode()).digest()


def begin_flow(
    issuer: str, next_page: str | None, now: float, *, link: Link | None = None, invitation: str | None = None
) -> Flow:
    """A new sign-in, of 256 random bits each for state, nonce and verifier."""
    state, nonce, verifier = (secrets.token_urlsafe(_RANDOM_BYTES) for _ in range(3))
    return Flow(
        issuer=issuer,
        state=state,
        nonce=nonce,
        verifier=verifier,
        next=read_next(next_page),
        began_at=int(now),
        link=link,
        invitation=invitation,
    )


def read_next(page: str | None) -> str:
    """A page of the web app, `/` in the place of everything else: no sign-in leads elsewhere."""
    is_page = page is not None and len(page) <= _LONGEST_NEXT and _NEXT.fullmatch(page) is not None
    return page if page is not None and is_page else "/"


class FlowCookies:
    """Writes flows into cookies, and reads them."""

    def __init__(self, box: SecretBox, now: Callable[[], float] = time.time) -> None:
        self._box = box
        self._now = now

    def write(self, request: AnyRequest, flow: Flow) -> Cookie:
        """The cookie of a flow: for a few minutes, and sent when the provider leads the browser back."""
        return _cookie(request, self.seal(flow), LIFETIME_SECONDS)

    def forget(self, request: AnyRequest) -> Cookie:
        """The cookie that ends the one that is there."""
        return _cookie(request, "", 0)

    def read(self, request: AnyRequest, issuer: str) -> Flow:
        """The flow that this browser has begun. Raises SignInFailed where there is none that is good now."""
        return self.open(request.cookies.get(_name(request)) or "", issuer)

    def seal(self, flow: Flow) -> str:
        """The flow as the value of a cookie, which nobody else can read or make."""
        # A value with `=` in it would be set in quotation marks, which not everybody takes off again.
        return base64.urlsafe_b64encode(self._box.seal(msgspec.json.encode(flow), _PLACE)).decode().rstrip("=")

    def open(self, text: str, issuer: str) -> Flow:
        """The flow in the value of a cookie. Raises SignInFailed for one that is not good now."""
        if not 0 < len(text) <= _LONGEST_COOKIE:
            raise SignInFailed(Failure.FLOW_MISSING, "there is no cookie")
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
            flow = msgspec.json.decode(self._box.open(sealed, _PLACE), type=Flow)
        except (binascii.Error, ValueError, SecretError, msgspec.MsgspecError) as error:
            raise SignInFailed(Failure.FLOW_MISSING, f"the cookie cannot be read: {type(error).__name__}") from None
        if flow.issuer != issuer:
            raise SignInFailed(Failure.FLOW_MISSING, "it was begun with another provider")
        if not -_SKEW_SECONDS <= self._now() - flow.began_at <= LIFETIME_SECONDS:
            raise SignInFailed(Failure.FLOW_MISSING, "it was begun too long ago")
        return flow


def _cookie(request: AnyRequest, value: str, seconds: int) -> Cookie:
    # The way back from the provider begins at another site.
    return make_cookie(request, _name(request), value, seconds, "lax")


def _name(request: AnyRequest) -> str:
    return "__Host-flowforge-oidc" if is_https(request) else f"flowforge-oidc-{request.app.state.settings.port}"
