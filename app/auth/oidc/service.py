"""Sign-in through the provider: leave for it, come back, and be signed in as with a password.

Whatever goes wrong leads the browser back to the sign-in page with a stable code; why it went wrong is for the log.
"""

import hmac
import time
from typing import Any, Final

import structlog
from litestar import Request
from litestar.datastructures import Cookie
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncEngine

from app.auth.browser import keep_cookie
from app.auth.oidc import repository
from app.auth.oidc.accounts import AccountService, Identified, read_claims
from app.auth.oidc.config import OidcConfig
from app.auth.oidc.errors import OF_THE_PROVIDER, Failure, ProviderUnavailable, SignInFailed
from app.auth.oidc.flows import Flow, FlowCookies, Link, begin_flow
from app.auth.oidc.identities import IdentityLinks
from app.auth.oidc.provider import Provider
from app.auth.oidc.schemas import ProviderView
from app.auth.schemas import Tokens
from app.auth.service import IdentityService
from app.auth.throttle import LoginThrottle
from app.errors import ApiError, InvitationGone
from app.members.joining import find_invited_email
from app.outages import as_outage

AnyRequest = Request[Any, Any, Any]

_LONGEST_PARAMETER: Final = 4096
_REFUSED: Final = frozenset(
    {
        *("access_denied", "login_required", "consent_required"),
        *("interaction_required", "account_selection_required"),
    }
)
_UNAVAILABLE: Final = frozenset({"server_error", "temporarily_unavailable"})
_INTERNAL: Final = "internal_error"
_UNKNOWN: Final = "unknown"

logger = structlog.get_logger(__name__)


class Step(Struct, frozen=True, kw_only=True):
    """Where the browser goes next. `error` is a code for the sign-in page; `url` leads elsewhere."""

    url: str = ""
    next: str = "/"
    error: str = ""
    cookies: list[Cookie]


class OidcService:
    """One provider's sign-ins."""

    def __init__(
        self,
        *,
        config: OidcConfig,
        provider: Provider,
        cookies: FlowCookies,
        accounts: AccountService,
        links: IdentityLinks,
        identity: IdentityService,
        throttle: LoginThrottle,
        database: AsyncEngine,
    ) -> None:
        self._config = config
        self._provider = provider
        self._cookies = cookies
        self._accounts = accounts
        self._links = links
        self._identity = identity
        self._throttle = throttle
        self._database = database

    @property
    def view(self) -> ProviderView:
        """What the sign-in page shows of it."""
        return ProviderView(name=self._config.name, url=self._config.login_url)

    async def begin(self, request: AnyRequest, next_page: str | None) -> Step:
        """Leave for the provider; `next_page` is where the sign-in is to lead."""
        flow = begin_flow(self._config.issuer, next_page, time.time())
        try:
            url = await self._provider.make_login_url(flow)
        except Exception as error:
            return Step(next=flow.next, error=_explain(error), cookies=[])
        return Step(url=url, cookies=[self._cookies.write(request, flow)])

    async def begin_link(self, request: AnyRequest, next_page: str, link: Link) -> Step:
        """Leave for the provider to link what comes back to an account. Raises ProviderUnavailable."""
        return await self._leave(request, begin_flow(self._config.issuer, next_page, time.time(), link=link))

    async def begin_joining(self, request: AnyRequest, next_page: str, invitation: str) -> Step:
        """Leave for the provider to join by an invitation. Raises InvitationGone, ProviderUnavailable."""
        async with self._database.begin() as connection:
            if await find_invited_email(connection, invitation) is None:
                raise InvitationGone
        flow = begin_flow(self._config.issuer, next_page, time.time(), invitation=invitation)
        return await self._leave(request, flow)

    async def _leave(self, request: AnyRequest, flow: Flow) -> Step:
        try:
            url = await self._provider.make_login_url(flow)
        except SignInFailed as failed:
            _explain(failed)
            raise ProviderUnavailable from None
        return Step(url=url, cookies=[self._cookies.write(request, flow)])

    async def finish(self, request: AnyRequest) -> Step:
        """Come back from the provider, with a session of the browser's where all is as it should be."""
        flow: Flow | None = None
        try:
            flow = self._cookies.read(request, self._config.issuer)
            _check_state(request, flow)
            tokens = await self._sign_in(request, flow)
        except Exception as error:
            code = _explain(error)
            # The answer to another sign-in: the one that goes on in this browser is not over.
            goes_on = flow is None or code == Failure.STATE_MISMATCH
            cookies = [] if goes_on else [self._cookies.forget(request)]
            return Step(next=flow.next if flow else "/", error=code, cookies=cookies)
        kept = [] if tokens is None else [keep_cookie(request, tokens)]
        return Step(next=flow.next, cookies=[self._cookies.forget(request), *kept])

    async def _sign_in(self, request: AnyRequest, flow: Flow) -> Tokens | None:
        """Tokens, or none where what came back was linked to an account whose session goes on."""
        async with self._database.begin() as connection:
            if not await repository.use_flow(connection, flow.state_hash):
                raise SignInFailed(Failure.FLOW_USED, "this state came before")
        await self._provider.check_issuer(_read_parameter(request, "iss"))
        if (error := _read_parameter(request, "error")) is not None:
            raise _translate(error)
        code = _read_parameter(request, "code")
        if not code:
            raise SignInFailed(Failure.PROVIDER_INVALID, "it answers neither a code nor an error")
        address = request.client.host if request.client else _UNKNOWN
        account = f"oidc {flow.state}"
        await self._throttle.admit(account, address)
        try:
            who = read_claims(self._config, await self._provider.identify(code, flow))
            tokens = await self._open(who, flow)
        except SignInFailed as failed:
            if failed.failure in OF_THE_PROVIDER:
                await self._throttle.take_back(account, address)
            raise
        except Exception:
            await self._throttle.take_back(account, address)
            raise
        await self._throttle.forgive(account, address)
        return tokens

    async def _open(self, who: Identified, flow: Flow) -> Tokens | None:
        if flow.link is not None:
            await self._links.finish(flow.link, self._config.issuer, who)
            return None
        opened = await self._accounts.open(who, flow.invitation)
        return await self._identity.begin(opened.user_id, opened.workspace_id, through=self._config.issuer)


def _check_state(request: AnyRequest, flow: Flow) -> None:
    state = _read_parameter(request, "state") or ""
    if not hmac.compare_digest(state.encode(errors="replace"), flow.state.encode()):
        raise SignInFailed(Failure.STATE_MISMATCH, "it is the state of another sign-in, or of none")


def _read_parameter(request: AnyRequest, name: str) -> str | None:
    """A parameter that stands in the query once; one that stands there twice is none."""
    values = request.query_params.getall(name, [])
    return values[0] if len(values) == 1 and len(values[0]) <= _LONGEST_PARAMETER else None


def _translate(error: str) -> SignInFailed:
    if error in _REFUSED:
        return SignInFailed(Failure.DENIED, error)
    if error in _UNAVAILABLE:
        return SignInFailed(Failure.PROVIDER_UNAVAILABLE, error)
    # What it says is not repeated: anybody can write into this address.
    return SignInFailed(Failure.PROVIDER_INVALID, "it answers with an error")


def _explain(error: Exception) -> str:
    """The code for the sign-in page; the log gets the reason."""
    if isinstance(error, SignInFailed):
        log = logger.warning if error.failure in OF_THE_PROVIDER else logger.info
        log("sign-in through the provider came to nothing", code=error.failure.value, reason=error.reason)
        return error.failure.value
    answer = error if isinstance(error, ApiError) else as_outage(error)
    if answer is None:
        logger.error("sign-in through the provider failed", exc_info=error)
        return _INTERNAL
    logger.warning("sign-in through the provider is refused for now", code=answer.code)
    return answer.code
