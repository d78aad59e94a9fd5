"""Authentication of webhooks: over the raw body, in constant time, before anything is parsed.

Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

TOLERANCE_SECONDS = 300
_TIMESTAMP = re.compile(r"[0-9]{1,12}")

Secret = Annotated[str, Meta(min_length=8, max_length=1024)]


class StandardWebhooksAuth(Struct, frozen=True, kw_only=True, tag="standard_webhooks", forbid_unknown_fields=True):
    """Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`; the secret is `whsec_…`."""

    secret: Secret | None = None


class GithubAuth(Struct, frozen=True, kw_only=True, tag="github", forbid_unknown_fields=True):
    """GitHub: `X-Hub-Signature-256` over the body."""

    secret: Secret | None = None


class HmacAuth(Struct, frozen=True, kw_only=True, tag="hmac", forbid_unknown_fields=True):
    """An HMAC of the body in a header, after an optional prefix like `sha256=`."""

    secret: Secret | None = None
    header: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "X-Signature"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, Meta(max_length=64)] = ""


WebhookAuth = StandardWebhooksAuth | GithubAuth | HmacAuth


class InvalidSecret(ValueError):
    """The secret does not have the form that its kind of authentication asks for."""


def check_secret(auth: WebhookAuth, secret: str) -> None:
    """Raise InvalidSecret with a sentence on how to mend it."""
    if isinstance(auth, StandardWebhooksAuth):
        _standard_key(secret)


def is_authentic(
    auth: WebhookAuth, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: float
) -> bool:
    """Whether the request is signed with one of the secrets. Header names are lower case; `now` in Unix seconds."""
    match auth:
        case StandardWebhooksAuth():
            return _is_standard(secrets, headers, body, now)
        case GithubAuth():
            given = headers.get("x-hub-signature-256", "")
            return _matches(given, [f"sha256={_digest(secret, body, 'sha256').hex()}" for secret in secrets])
        case HmacAuth():
            digests = [_digest(secret, body, auth.algorithm) for secret in secrets]
            encoded = [
                digest.hex() if auth.encoding == "hex" else base64.b64encode(digest).decode() for digest in digests
            ]
            return _matches(headers.get(auth.header.lower(), ""), [auth.prefix + text for text in encoded])


def _digest(secret: str, body: bytes, algorithm: str) -> bytes:
    return hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).digest()


def _matches(given: str, expected: Sequence[str]) -> bool:
    # Every secret is compared, so that the time tells nothing of which one matched.
    return any([hmac.compare_digest(given.encode(), text.encode()) for text in expected])  # noqa: C419 - see above


def _is_standard(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or "." in message_id or not _TIMESTAMP.fullmatch(timestamp):
        return False
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = [base64.b64encode(hmac.digest(_standard_key(secret), signed, "sha256")).decode() for secret in secrets]
    given = [entry[3:] for entry in headers.get("webhook-signature", "").split(" ") if entry.startswith("v1,")]
    return any([_matches(signature, expected) for signature in given])  # noqa: C419 - see _matches


def _standard_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:  # noqa: PLR2004 - the bounds of the specification
        raise InvalidSecret("a Standard Webhooks secret is `whsec_` and the base64 of 24 to 64 random bytes")
    return key
