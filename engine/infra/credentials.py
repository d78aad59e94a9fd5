"""What a connection's secret is, for each of its types, and which headers a request carries for it."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, TypeAlias

from authlib.common.urls import url_decode
from msgspec import UNSET, Meta, Struct, UnsetType
from yarl import URL

from engine.infra.http_errors import InvalidHeaderError, InvalidUrlError
from engine.infra.http_headers import check_headers
from engine.infra.http_redirects import HARMLESS_HEADERS
from engine.infra.http_url import parse_url

Fault: TypeAlias = tuple[str, str, str]
"""What is wrong with a secret: JSON pointer in it, stable code, plain sentence."""

MAX_HEADERS: Final = 20
# Where a password is shorter, the user name is the key: some targets take it so.
SHORTEST_PASSWORD: Final = 8
_WILDCARD: Final = "*."
_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^][/@?#:%\\]+)(?::(?P<port>[0-9]{1,5}))?")
_LAST_PORT: Final = 65_535
# What a sign-in says of itself at the authorize URL.
AUTHORIZE_PARAMETERS: Final = frozenset(
    {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "audience",
        "code_challenge",
        "code_challenge_method",
        "response_mode",
        "request",
        "request_uri",
    }
)

_Part = Annotated[str, Meta(min_length=1, max_length=8192)]
_HeaderName = Annotated[str, Meta(min_length=1, max_length=128)]


class BasicSecret(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user name and a password, sent as `Authorization: Basic …`. Either may be empty."""

    username: Annotated[str, Meta(max_length=8192)]
    password: Annotated[str, Meta(max_length=8192)]


class BearerSecret(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token, sent as `Authorization: Bearer …`."""

    token: _Part


class ApiKeySecret(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key, sent as the value of a header."""

    header: _HeaderName
    value: _Part


class HeadersSecret(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any headers, all of whose values are secret."""

    headers: Annotated[dict[_HeaderName, _Part], Meta(min_length=1, max_length=MAX_HEADERS)]


class OAuthClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OAuth 2.0 client, which gets its access tokens at `token_url`.

    `client_auth` is how it proves who it is there: in the Authorization header, or in the body.
    """

    token_url: _Part
    client_id: _Part
    client_secret: _Part
    scope: Annotated[str, Meta(max_length=8192)] | UnsetType = UNSET
    audience: Annotated[str, Meta(max_length=8192)] | UnsetType = UNSET
    client_auth: Literal["basic", "post"] = "basic"


class ClientCredentials(OAuthClient, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client that acts for itself."""


class AuthorizationCode(OAuthClient, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client that acts for a person, who signs in at `authorize_url` and agrees to it.

    `issuer` is what the other system calls itself when it sends the browser back (`iss`, RFC 9207), to the letter.
    """

    authorize_url: _Part
    issuer: Annotated[str, Meta(min_length=1, max_length=2048)] | UnsetType = UNSET


OAuthSecret: TypeAlias = ClientCredentials | AuthorizationCode
Secret: TypeAlias = BasicSecret | BearerSecret | ApiKeySecret | HeadersSecret | OAuthSecret
ConnectionType: TypeAlias = Literal[
    "basic", "bearer", "api_key", "custom_headers", "oauth2_client_credentials", "oauth2_authorization_code"
]
# The type whose connections work once somebody has signed in.
SIGNED_IN_TYPE: Final = "oauth2_authorization_code"

SECRET_TYPES: Final[Mapping[ConnectionType, type[Secret]]] = {
    "basic": BasicSecret,
    "bearer": BearerSecret,
    "api_key": ApiKeySecret,
    "custom_headers": HeadersSecret,
    "oauth2_client_credentials": ClientCredentials,
    "oauth2_authorization_code": AuthorizationCode,
}


class Credential(Struct, frozen=True, kw_only=True):
    """What an attempt needs of a connection: its headers, and every text that must not come back to light."""

    headers: Mapping[str, str]
    secrets: Sequence[str]


def find_faults(secret: Secret) -> list[Fault]:
    """What cannot be sent of a secret; no fault tells its value."""
    match secret:
        case BasicSecret():
            return _pair_faults(secret)
        case BearerSecret():
            return _header_faults("Authorization", secret.token, at="/token")
        case ApiKeySecret():
            return _header_faults(secret.header, secret.value, at="/value", at_name="/header")
        case HeadersSecret():
            return [fault for name in secret.headers for fault in _custom_header_faults(secret.headers, name)]
        case ClientCredentials():
            return _url_faults("/token_url", secret.token_url)
        case AuthorizationCode():
            faults = _url_faults("/token_url", secret.token_url)
            return [*faults, *_authorize_url_faults("/authorize_url", secret.authorize_url)]


def make_credential(secret: Secret, token: str | None = None, refresh_token: str | None = None) -> Credential:
    """The headers of a request, and all that is secret about them; an OAuth client needs its access `token`."""
    match secret:
        case BasicSecret():
            pair = f"{secret.username}:{secret.password}"
            encoded = base64.b64encode(pair.encode()).decode()
            is_name_secret = len(secret.password) < SHORTEST_PASSWORD
            parts = [secret.password, pair, encoded, *([secret.username] if is_name_secret else [])]
            return Credential(headers={"Authorization": f"Basic {encoded}"}, secrets=parts)
        case BearerSecret():
            return Credential(headers={"Authorization": f"Bearer {secret.token}"}, secrets=[secret.token])
        case ApiKeySecret():
            return Credential(headers={secret.header: secret.value}, secrets=_with_bare(secret.value))
        case HeadersSecret():
            values = [part for value in secret.headers.values() for part in _with_bare(value)]
            return Credential(headers=dict(secret.headers), secrets=values)
        case ClientCredentials() | AuthorizationCode():
            pair = f"{secret.client_id}:{secret.client_secret}"
            parts = [secret.client_secret, pair, *([refresh_token] if refresh_token else [])]
            if token is None:
                return Credential(headers={}, secrets=parts)
            return Credential(headers={"Authorization": f"Bearer {token}"}, secrets=[*parts, token])


def _with_bare(value: str) -> list[str]:
    """A header's value, and what stands behind the name of a scheme in it."""
    scheme, _, rest = value.partition(" ")
    parts = [value]
    if rest.strip() and scheme.isalpha():
        parts.append(rest.strip())
        try:
            pair = base64.b64decode(rest.strip(), validate=True).decode()
        except ValueError:
            return parts
        if scheme.lower() == "basic":
            parts += [pair, pair.partition(":")[2]]
    return parts


def _pair_faults(secret: BasicSecret) -> list[Fault]:
    faults = []
    if ":" in secret.username:
        faults.append(("/username", "format", "a user name holds no colon: it ends where the password begins"))
    if not secret.username and not secret.password:
        faults.append(("/password", "length", "user name and password are both empty"))
    return faults


def _custom_header_faults(headers: Mapping[str, str], name: str) -> list[Fault]:
    pointer = "/headers/" + name.replace("~", "~0").replace("/", "~1")
    faults = _header_faults(name, headers[name], at=pointer)
    if sum(other.lower() == name.lower() for other in headers) > 1:
        faults.append((pointer, "format", "this header is there twice, spelled differently"))
    return faults


def _header_faults(name: str, value: str, *, at: str, at_name: str | None = None) -> list[Fault]:
    faults = []
    try:
        check_headers([(name, "")])
    except InvalidHeaderError as error:
        faults.append((at_name or at, "format", error.message))
    if name.lower() in HARMLESS_HEADERS:
        message = "this header follows every redirect, and so would a secret: give it to the step, or take another name"
        faults.append((at_name or at, "format", message))
    try:
        check_headers([("Authorization", value)])
    except InvalidHeaderError:
        faults.append((at, "format", "it holds a line break or another control character"))
    return faults


def _url_faults(pointer: str, url: str) -> list[Fault]:
    try:
        parse_url(url)
    except InvalidUrlError as error:
        return [(pointer, "format", error.message)]
    return []


def _authorize_url_faults(pointer: str, url: str) -> list[Fault]:
    """Its query may hold what the other system asks for beside the protocol, like `access_type=offline`."""
    if faults := _url_faults(pointer, url):
        return faults
    parsed = parse_url(url)
    if parsed.fragment:
        return [(pointer, "format", "an address to sign in at has no fragment: leave out the # and what follows it")]
    try:
        url_decode(parsed.raw_query_string)
    except ValueError:
        return [(pointer, "format", "its query holds characters that have to be written like %20")]
    taken = sorted(AUTHORIZE_PARAMETERS & parsed.query.keys())
    if taken:
        return [(pointer, "format", f"the product sets {', '.join(taken)} itself: leave it out of the query")]
    return []


def normalise_allowed_host(text: str) -> str:
    """A host as connections keep it: `api.example.com`, `*.example.com`, either with `:port`; raises ValueError."""
    found = _PORT.fullmatch(text.strip())
    if found is None:
        raise ValueError("a host is written like api.example.com, *.example.com or api.example.com:8443")
    host, port = found["host"], found["port"]
    prefix = _WILDCARD if host.startswith(_WILDCARD) else ""
    bare = host.removeprefix(_WILDCARD)
    if "*" in bare or (prefix and "." not in bare):
        raise ValueError("an asterisk stands for names before a domain, like *.example.com")
    if port is not None and not 0 < int(port) <= _LAST_PORT:
        raise ValueError("a port is between 1 and 65535")
    try:
        raw = parse_url(f"https://{bare}/").raw_host or ""
    except InvalidUrlError as error:
        raise ValueError(error.message) from None
    name = raw.rstrip(".").lower()
    if not name:
        raise ValueError("there is no name in it")
    name = f"[{name}]" if ":" in name else name
    return prefix + name + ("" if port is None else f":{int(port)}")


def is_host_allowed(url: URL, allowed: Sequence[str]) -> bool:
    """Whether credentials may go to the URL's host: to any where none is named."""
    if not allowed:
        return True
    name = (url.raw_host or "").rstrip(".").lower()
    name = f"[{name}]" if ":" in name else name
    return any(_is_match(name, url.port, entry) for entry in allowed)


def _is_match(name: str, port: int | None, entry: str) -> bool:
    host, colon, number = entry.rpartition(":")
    if not colon or number.endswith("]"):
        host, number = entry, ""
    if number and int(number) != port:
        return False
    if host.startswith(_WILDCARD):
        return name.endswith(host[1:]) and len(name) > len(host) - 1
    return name == host
