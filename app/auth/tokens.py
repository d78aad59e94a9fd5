"""Access tokens: JWTs signed with Ed25519 by a key that lives, sealed, in the database."""

import base64
import time
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jwt import JWTClaimsRegistry
from msgspec import Struct

from app.errors import InvalidToken

ALGORITHM: Final = "Ed25519"
ISSUER: Final = "flowforge"
AUDIENCE: Final = "flowforge-api"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the value of a header, not a secret
# How far the clocks of two processes may be apart.
LEEWAY_SECONDS: Final = 10


class _Header(Struct, forbid_unknown_fields=True):
    """The one shape of header that this product signs; `jku`, `jwk` and the like are refused."""

    alg: Literal["Ed25519"]
    kid: str
    typ: Literal["at+jwt"]


class AccessClaims(Struct, frozen=True, kw_only=True):
    """What an access token says. Roles are looked up, so that a change of role needs no new token."""

    user_id: UUID
    workspace_id: UUID
    session_id: UUID
    expires_at: int


class KeyPair(Struct, frozen=True, kw_only=True):
    """An Ed25519 key pair as raw bytes."""

    kid: str
    public_key: bytes
    private_key: bytes


def make_key_pair(kid: str) -> KeyPair:
    """A new key pair."""
    private = Ed25519PrivateKey.generate()
    return KeyPair(
        kid=kid,
        public_key=private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
        private_key=private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()),
    )


def load_public_key(kid: str, public_key: bytes) -> OKPKey:
    """The key that verifies."""
    return _import({"kid": kid, "x": _encode(public_key)})


def load_private_key(kid: str, public_key: bytes, private_key: bytes) -> OKPKey:
    """The key that signs."""
    return _import({"kid": kid, "x": _encode(public_key), "d": _encode(private_key)})


def sign_token(key: OKPKey, claims: AccessClaims, now: float) -> str:
    """The signed token for `claims`."""
    payload: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(claims.user_id),
        "wid": str(claims.workspace_id),
        "sid": str(claims.session_id),
        "iat": int(now),
        "nbf": int(now),
        "exp": claims.expires_at,
    }
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TOKEN_TYPE}
    return jwt.encode(header, payload, key, algorithms=[ALGORITHM], default_type=None)


def read_kid(token: str) -> str:
    """The key id that a token names, before anything in it is believed; raises InvalidToken."""
    segment = token.partition(".")[0]
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        header = msgspec.json.decode(raw, type=_Header)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise InvalidToken from None
    return header.kid


def verify_token(key: OKPKey, token: str) -> AccessClaims:
    """The claims of a token that `key` signed and that is valid now; raises InvalidToken."""
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        _claims_registry().validate(claims)
        return AccessClaims(
            user_id=UUID(claims["sub"]),
            workspace_id=UUID(claims["wid"]),
            session_id=UUID(claims["sid"]),
            expires_at=int(claims["exp"]),
        )
    except (JoseError, ValueError, TypeError, AttributeError, UnicodeError, RecursionError):
        raise InvalidToken from None


def _claims_registry() -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=int(time.time()),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        sub={"essential": True},
        wid={"essential": True},
        sid={"essential": True},
        exp={"essential": True},
        nbf={"essential": True},
    )


def _import(parts: dict[str, Any]) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "use": "sig", **parts})


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
