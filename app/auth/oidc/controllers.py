"""`/v1/auth/providers` and `/v1/auth/oidc`: what a browser opens to sign in through a provider."""

from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.params import FromQuery, QueryParameter
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from app.auth.oidc.errors import Failure
from app.auth.oidc.schemas import ProviderList
from app.auth.oidc.service import OidcService, Step

AnyRequest = Request[Any, Any, Any]
NextPage = Annotated[
    str | None,
    QueryParameter(name="next", description="the page of the web app that the sign-in leads to; others lead to `/`"),
]

SIGN_IN_PAGE = "/signin"


class OidcController(Controller):
    """Sign-in through a provider. A browser opens these addresses: what goes wrong it is told by the sign-in page."""

    path = "/auth"
    tags = ("auth",)

    @get("/providers", operation_id="getProviders", summary="Who else can one sign in with?", public=True)
    async def get_providers(self, state: State) -> ProviderList:
        """The providers that are set up, for the sign-in page. A browser is led to the `url` of one."""
        oidc: OidcService | None = state.oidc
        return ProviderList(items=[] if oidc is None else [oidc.view])

    @get(
        "/oidc/login",
        operation_id="beginOidcLogin",
        summary="Sign in through the provider",
        status_code=HTTP_303_SEE_OTHER,
        public=True,
    )
    async def begin_login(self, request: AnyRequest, state: State, next_page: FromQuery[NextPage] = None) -> Redirect:
        """Lead the browser to the provider, or to the sign-in page with `error`."""
        oidc: OidcService | None = state.oidc
        if oidc is None:
            return _lead(Step(error=Failure.NOT_CONFIGURED.value, cookies=[]))
        return _lead(await oidc.begin(request, next_page))

    @get(
        "/oidc/callback",
        operation_id="finishOidcLogin",
        summary="Come back from the provider",
        status_code=HTTP_303_SEE_OTHER,
        public=True,
        # What a provider adds is its own affair: RFC 6749 has unknown parameters ignored.
        free_query=True,
    )
    async def finish_login(self, request: AnyRequest, state: State) -> Redirect:
        """Lead the browser to the sign-in page: with `signed_in` and the session's cookie, or with `error`."""
        oidc: OidcService | None = state.oidc
        if oidc is None:
            return _lead(Step(error=Failure.NOT_CONFIGURED.value, cookies=[]))
        return _lead(await oidc.finish(request))


def _lead(step: Step) -> Redirect:
    url = step.url
    if not url:
        told = {"error": step.error} if step.error else {"signed_in": "oidc"}
        if step.next != "/":
            told["next"] = step.next
        url = f"{SIGN_IN_PAGE}?{urlencode(told)}"
    return Redirect(url, status_code=HTTP_303_SEE_OTHER, cookies=step.cookies)
