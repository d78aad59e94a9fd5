"""`/v1/auth/providers` and `/v1/auth/oidc`: what a browser opens to sign in through a provider."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Redirect, Response
from litestar.status_codes import HTTP_200_OK, HTTP_303_SEE_OTHER

from app.auth.guards import requires
from app.auth.oidc.errors import Failure
from app.auth.oidc.identities import IdentityLinks
from app.auth.oidc.schemas import IdentityList, JoinRequest, LinkRequest, LinkStart, ProviderList
from app.auth.oidc.service import OidcService, Step
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.bodies import SMALL_BODY_BYTES
from app.errors import NotFound
from app.openapi import problems

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
    request_max_body_size = SMALL_BODY_BYTES

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

    @post(
        "/oidc/link",
        operation_id="linkIdentity",
        summary="Link the provider to your account",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(404, 409, 429),
    )
    async def link(
        self,
        request: AnyRequest,
        state: State,
        data: JSONBody[LinkRequest],
        principal: NamedDependency[Principal],
    ) -> Response[LinkStart]:
        """Open the `url` in this browser: whoever you are at the provider can sign in to your account from then on.

        The browser comes back to the sign-in page, with `signed_in` or `error`.
        """
        links: IdentityLinks = state.identity_links
        oidc: OidcService | None = state.oidc
        if oidc is None:
            raise NotFound("No provider is set up.")
        link = await links.prepare(principal, data.password, request.client.host if request.client else "unknown")
        step = await oidc.begin_link(request, data.next, link)
        return Response(LinkStart(url=step.url), status_code=HTTP_200_OK, cookies=step.cookies)

    @post(
        "/oidc/invitation",
        operation_id="joinThroughProvider",
        summary="Accept an invitation through the provider",
        status_code=HTTP_200_OK,
        public=True,
        responses=problems(404, 410),
    )
    async def join(self, request: AnyRequest, state: State, data: JSONBody[JoinRequest]) -> Response[LinkStart]:
        """Open the `url` in this browser: whoever has the invited email there becomes a member, without a password.

        The browser comes back to the sign-in page, with `signed_in` or `error`.
        """
        oidc: OidcService | None = state.oidc
        if oidc is None:
            raise NotFound("No provider is set up.")
        step = await oidc.begin_joining(request, data.next, data.token)
        return Response(LinkStart(url=step.url), status_code=HTTP_200_OK, cookies=step.cookies)

    @get(
        "/identities",
        operation_id="getIdentities",
        summary="What opens my account?",
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(409),
    )
    async def get_identities(self, state: State, principal: NamedDependency[Principal]) -> IdentityList:
        """Who you are at providers, the newest first: each of them opens your account."""
        links: IdentityLinks = state.identity_links
        return await links.list_all(principal)

    @delete(
        "/identities/{identity_id:uuid}",
        operation_id="unlinkIdentity",
        summary="Take an identity off your account",
        guards=[requires(Permission.ACCOUNT_READ)],
        responses=problems(404, 409),
    )
    async def unlink(self, identity_id: FromPath[UUID], state: State, principal: NamedDependency[Principal]) -> None:
        """It opens your account no more; its sessions go on. The last one stays where there is no password."""
        links: IdentityLinks = state.identity_links
        await links.unlink(principal, identity_id)


def _lead(step: Step) -> Redirect:
    url = step.url
    if not url:
        told = {"error": step.error} if step.error else {"signed_in": "oidc"}
        if step.next != "/":
            told["next"] = step.next
        url = f"{SIGN_IN_PAGE}?{urlencode(told)}"
    return Redirect(url, status_code=HTTP_303_SEE_OTHER, cookies=step.cookies)
