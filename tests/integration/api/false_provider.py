"""An OpenID provider whose every word a test chooses: for what no real one says."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey

from tests.integration.api.callers import Api
from tests.integration.api.sign_ins import Browser, Landing
from tests.integration.http.targets import Received, Target, serve

CLIENT_ID = "flowforge"
CLIENT_SECRET = "a secret of forty-eight characters, for tests only"

SigningKey = RSAKey | ECKey | OKPKey


@cache
def make_key(kid: str, algorithm: str = "ES256") -> SigningKey:
    """A signing key of a provider's; the same one for the same name."""
    parameters: KeyParameters = {"kid": kid, "alg": algorithm, "use": "sig"}
    match algorithm[:2]:
        case "ES":
            return ECKey.generate_key("P-256", parameters)
        case "Ed":
            return OKPKey.generate_key("Ed25519", parameters)
        case _:
            return RSAKey.generate_key(2048, parameters)


class FalseProvider:
    """It answers as its fields say, which a test sets. `claims` of None stand for no such claim."""

    def __init__(self) -> None:
        self.target = Target()
        self.reset()

    def reset(self) -> None:
        """Be a good provider again, of whom nothing has been asked."""
        self.metadata: dict[str, Any] = {}
        self.key = make_key("first")
        self.published: list[Any] = [self.key]
        self.header: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.user_info: dict[str, Any] | None = None
        self.token: str | None = None
        # ID tokens by their codes, where several sign-ins are under way.
        self.answers: dict[str, str] = {}
        self.nonce = ""
        self.statuses: dict[str, int] = {}
        self.target.received.clear()

    @property
    def issuer(self) -> str:
        """Its name, and where it stands."""
        return self.target.url

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(1 for received in self.target.received if received.path == path)

    def read_token_request(self) -> dict[str, str]:
        """The fields of the last request to the token endpoint."""
        (*_, last) = [received for received in self.target.received if received.path == "/token"]
        return {name: value for name, (value,) in parse_qs(last.body.decode()).items()}

    def say(self, **claims: Any) -> None:
        """Claim this of whoever signs in next."""
        self.claims = claims

    async def sign_in(self, api: Api, browser: Browser | None = None, *, address: str = "127.0.0.1") -> Landing:
        """Sign in from beginning to end."""
        browser = browser or Browser(api, address)
        asked = await browser.leave()
        self.nonce = asked["nonce"]
        return await browser.come_back(code="a-code", state=asked["state"])

    def make_token(self) -> str:
        """The ID token."""
        if self.token is not None:
            return self.token
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "grace", "iat": now, "exp": now + 300}
        said = {**usual, "nonce": self.nonce, **self.claims}
        claims = {name: value for name, value in said.items() if value is not None}
        named = {"alg": self.key.get("alg"), "kid": self.key.kid, **self.header}
        header = {name: value for name, value in named.items() if value is not None}
        return jwt.encode(header, claims, self.key, algorithms=[header["alg"]])

    async def answer(self, received: Received, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        path = urlsplit(received.path).path
        status = self.statuses.get(path, 200)
        body = msgspec.json.encode(self._find_body(path, received) if status == 200 else {"error": "invalid_grant"})
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    def _find_body(self, path: str, received: Received) -> dict[str, Any]:
        match path:
            case "/.well-known/openid-configuration":
                return {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/auth",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    "response_types_supported": ["code"],
                    **self.metadata,
                }
            case "/keys":
                entries = [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.published]
                return {"keys": entries}
            case "/token":
                (code,) = parse_qs(received.body.decode())["code"]
                token = self.answers.get(code) or self.make_token()
                return {"access_token": "an-access-token", "token_type": "Bearer", "id_token": token}
            case "/me":
                return self.user_info or {}
            case _:
                return {}


@asynccontextmanager
async def false_provider() -> AsyncIterator[FalseProvider]:
    """A false provider on a port of this machine."""
    provider = FalseProvider()
    async with serve(provider.answer) as target:
        provider.target = target
        yield provider


def make_good(provider: FalseProvider) -> None:
    """Let it be a good provider, to whom everybody is Grace."""
    provider.reset()
    provider.say(email="grace@example.com", email_verified=True, name="Grace")
