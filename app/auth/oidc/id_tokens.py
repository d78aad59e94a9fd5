"""ID tokens: what proves who somebody is. Asymmetric signatures alone, by the provider's own keys."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from msgspec import Struct

from app.auth.oidc.errors import Failure, SignInFailed

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    "Ed25519",
)
LEEWAY_SECONDS: Final = 10
LONGEST_TOKEN: Final = 65_536
_LONGEST_HEADER: Final = 16_384
_LONGEST_SUBJECT: Final = 255
_FEWEST_RSA_BITS: Final = 2048
_KEY_TYPES: Final[Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_KEY_TYPE_OF: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}

PublicKey = RSAKey | ECKey | OKPKey


class _Header(Struct):
    """Of a header, what a key is chosen by. What it says of keys elsewhere (`jku`, `jwk`, `x5u`) is not read."""

    alg: str
    kid: str | None = None


class TokenHeader(Struct, frozen=True):
    """How a token says that it is signed."""

    algorithm: str
    kid: str | None


def read_keys(document: Any) -> list[PublicKey]:
    """The public keys of a JWK set that can verify something; what is of no use here is left out."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise SignInFailed(Failure.PROVIDER_INVALID, "its keys are no JWK set")
    return [key for entry in entries if isinstance(entry, dict) and (key := _read_key(entry)) is not None]


def read_header(token: str) -> TokenHeader:
    """How the token says that it is signed, of the algorithms that are taken here. Raises SignInFailed."""
    if len(token) > LONGEST_TOKEN:
        raise _invalid("it is too long")
    segment = token.partition(".")[0]
    try:
        raw = base64.urlsafe_b64decode(segment.encode("ascii") + b"=" * (-len(segment) % 4))
        header = msgspec.json.decode(raw, type=_Header)
    except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError):
        raise _invalid("its header cannot be read") from None
    if header.alg not in ALGORITHMS:
        raise _invalid("it is signed by an algorithm that is not taken")
    return TokenHeader(header.alg, header.kid)


def find_key(keys: Sequence[PublicKey], header: TokenHeader) -> PublicKey | None:
    """The key that the token names; without a name, the only one that may have signed it. None where there is none."""
    key_type = _KEY_TYPE_OF[header.algorithm[:2]]
    fitting = [key for key in keys if key.key_type == key_type and key.get("alg") in (None, header.algorithm)]
    if header.kid is not None:
        fitting = [key for key in fitting if key.get("kid") == header.kid]
    return fitting[0] if len(fitting) == 1 else None


def verify_id_token(
    token: str, key: PublicKey, *, issuer: str, client_id: str, nonce: str, access_token: str | None, now: float
) -> dict[str, Any]:
    """The claims of an ID token that this key signed for this very sign-in. Raises SignInFailed."""
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = _LONGEST_HEADER
    options = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": client_id},
        "sub": {"essential": True},
    }
    params = {"client_id": client_id, "nonce": nonce}
    if access_token is not None and key.key_type != "OKP":
        params["access_token"] = access_token
    try:
        found = jwt.decode(token, key, registry=registry)
        claims = CodeIDToken(found.claims, found.header, options, params)
        claims.validate(now=int(now), leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _invalid(f"{type(error).__name__}: {error}"[:200]) from None
    subject = claims["sub"]
    if not (0 < len(subject) <= _LONGEST_SUBJECT and subject.isascii() and subject.isprintable()):
        raise _invalid("its subject is none")
    return dict(claims)


def _read_key(entry: dict[str, Any]) -> PublicKey | None:
    kind = _KEY_TYPES.get(str(entry.get("kty")))
    if kind is None or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    try:
        if kind is RSAKey and _count_bits(entry["n"]) < _FEWEST_RSA_BITS:
            return None
        return kind.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _count_bits(number: str) -> int:
    raw = base64.urlsafe_b64decode(number.encode("ascii") + b"=" * (-len(number) % 4))
    return int.from_bytes(raw, "big").bit_length()


def _invalid(reason: str) -> SignInFailed:
    return SignInFailed(Failure.ID_TOKEN_INVALID, reason)
