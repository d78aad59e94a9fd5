"""A browser that signs in through a provider, as far as FlowForge sees it."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from msgspec import Struct

from tests.integration.api.callers import Api

BROWSER = {"x-flowforge-session": "cookie"}
LOGIN = "/v1/auth/oidc/login"
CALLBACK = "/v1/auth/oidc/callback"
FLOW_COOKIE = "flowforge-oidc-8000"
SESSION_COOKIE = "flowforge-8000"


class Landing(Struct, frozen=True):
    """Where a browser ends up on the sign-in page."""

    error: str | None
    is_signed_in: bool
    next: str | None


class Browser:
    """A browser of FlowForge's, with its cookies."""

    def __init__(self, api: Api, address: str = "127.0.0.1") -> None:
        self.client = api.client(address=address)

    async def leave(self, **query: str) -> dict[str, str]:
        """Open the link of the sign-in page: the parameters that the provider is asked with."""
        answer = await self.client.get(LOGIN, params=query)
        assert answer.status_code == 303, answer.text
        url = urlsplit(answer.headers["location"])
        assert url.path != "/signin", answer.headers["location"]
        return {"": f"{url.scheme}://{url.netloc}{url.path}", **_single(url.query)}

    async def leave_in_vain(self, **query: str) -> Landing:
        """Open the link of the sign-in page, and be led back at once."""
        return read_landing(await self.client.get(LOGIN, params=query))

    async def come_back(self, **query: str) -> Landing:
        """Be led back by the provider with these parameters."""
        return read_landing(await self.client.get(f"{CALLBACK}?{urlencode(query)}"))

    async def refresh(self) -> httpx.Response:
        """Exchange the session's cookie, as the web app does."""
        return await self.client.post("/v1/auth/refresh", json={}, headers=BROWSER)

    async def read_me(self) -> dict[str, Any]:
        """Who is signed in."""
        token = (await self.refresh()).raise_for_status().json()["access_token"]
        answer = await self.client.get("/v1/auth/me", headers={"authorization": f"Bearer {token}"})
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


def read_landing(answer: httpx.Response) -> Landing:
    """What the sign-in page is told, which is nothing but what it is to be told."""
    assert answer.status_code == 303, answer.text
    assert answer.content == b""
    url = urlsplit(answer.headers["location"])
    assert (url.scheme, url.netloc, url.path) == ("", "", "/signin")
    query = _single(url.query)
    assert query.keys() <= {"error", "signed_in", "next"}
    assert ("error" in query) != (query.get("signed_in") == "oidc")
    return Landing(query.get("error"), "signed_in" in query, query.get("next"))


def _single(query: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(query, strict_parsing=True).items()}
