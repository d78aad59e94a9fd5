"""Authentication of webhooks: over the raw body, in constant time, before anything is parsed.

Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md,
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries,
https://docs.stripe.com/webhooks/signature, https://docs.slack.dev/authentication/verifying-requests-from-slack,
RFC 7617 (basic), RFC 6750 (bearer)
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

TOLERANCE_SECONDS = 300
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_MILLISECONDS = re.compile(r"[0-9]{13}")
_BODY, _TIME = "{body}", "{timestamp}"

Secret = Annotated[str, Meta(min_length=8, max_length=1024)]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)")]


class StandardWebhooksAuth(Struct, frozen=True, kw_only=True, tag="standard_webhooks", forbid_unknown_fields=True):
    """Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`; the secret is `whsec_…`."""

    secret: Secret | None = None


class GithubAuth(Struct, frozen=True, kw_only=True, tag="github", forbid_unknown_fields=True):
    """GitHub: `X-Hub-Signature-256` over the body."""

    secret: Secret | None = None


class StripeAuth(Struct, frozen=True, kw_only=True, tag="stripe", forbid_unknown_fields=True):
    """Stripe: `Stripe-Signature` over time and body; the secret is the endpoint's `whsec_…`."""

    secret: Secret | None = None


class SlackAuth(Struct, frozen=True, kw_only=True, tag="slack", forbid_unknown_fields=True):
    """Slack: `X-Slack-Signature` over time and body; the secret is the app's signing secret."""

    secret: Secret | None = None


class HmacAuth(Struct, frozen=True, kw_only=True, tag="hmac", forbid_unknown_fields=True):
    """An HMAC of the body in a header, after an optional prefix like `sha256=`.

    With `timestamp_header`, that header tells the Unix time, which may be off by `tolerance` seconds, and `signed` is
    what the signature is of.
    """

    secret: Secret | None = None
    header: HeaderName = "X-Signature"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, Meta(max_length=64)] = ""
    timestamp_header: HeaderName | None = None
    tolerance: Annotated[int, Meta(ge=1, le=86_400)] = TOLERANCE_SECONDS
    signed: Annotated[str, Meta(max_length=200)] = "{timestamp}.{body}"


class BasicAuth(Struct, frozen=True, kw_only=True, tag="basic", forbid_unknown_fields=True):
    """`Authorization: Basic …`; the secret is `user:password`."""

    secret: Secret | None = None


class BearerAuth(Struct, frozen=True, kw_only=True, tag="bearer", forbid_unknown_fields=True):
    """`Authorization: Bearer …`; the secret is the token."""

    secret: Secret | None = None


WebhookAuth = StandardWebhooksAuth | GithubAuth | StripeAuth | SlackAuth | HmacAuth | BasicAuth | BearerAuth


class InvalidSecret(ValueError):
    """The secret does not have the form that its kind of authentication asks for."""


def check_secret(auth: WebhookAuth, secret: str) -> None:
    """Raise InvalidSecret with a sentence on how to mend it."""
    if not secret.strip():
        raise InvalidSecret("a secret of white space alone is none")
    match auth:
        case StandardWebhooksAuth():
            _standard_key(secret)
        case BasicAuth():
            user, colon, password = secret.partition(":")
            if not (user and colon and password):
                raise InvalidSecret("a secret of basic authentication is `user:password`")
        case BearerAuth() if not re.fullmatch(r"[!-~]+", secret):
            raise InvalidSecret("a bearer token is of ASCII characters without spaces")


def find_signing_fault(auth: WebhookAuth) -> str | None:
    """Why what is to be signed cannot be made of a request, as a sentence."""
    if not isinstance(auth, HmacAuth) or auth.timestamp_header is None:
        return None
    if auth.signed.count(_BODY) != 1 or auth.signed.count(_TIME) != 1:
        return "`signed` must have `{timestamp}` and `{body}` in it, each once"
    return None


def renew_secret(auth: WebhookAuth, previous: Sequence[str], random: bytes) -> str:
    """A new secret of the form that this kind asks for, made of 32 random bytes; `basic` keeps its user."""
    if isinstance(auth, BasicAuth):
        user = previous[0].partition(":")[0] if previous else "hook"
        return f"{user}:{base64.urlsafe_b64encode(random).decode().rstrip('=')}"
    return "whsec_" + base64.b64encode(random).decode()


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
        case StripeAuth():
            return _is_stripe(secrets, headers.get("stripe-signature", ""), body, now)
        case SlackAuth():
            return _is_slack(secrets, headers, body, now)
        case HmacAuth():
            return _is_hmac(auth, secrets, headers, body, now)
        case BasicAuth():
            expected = [base64.b64encode(secret.encode()).decode() for secret in secrets]
            return _matches(_credentials(headers, "basic"), expected)
        case BearerAuth():
            return _matches(_credentials(headers, "bearer"), secrets)


def challenge(auth: WebhookAuth) -> str | None:
    """What `WWW-Authenticate` tells a caller who sent no credentials; None where signatures are asked for."""
    match auth:
        case BasicAuth():
            return 'Basic realm="hook", charset="UTF-8"'
        case BearerAuth():
            return "Bearer"
    return None


def _digest(secret: str, signed: bytes, algorithm: str) -> bytes:
    return hmac.new(secret.encode(), signed, getattr(hashlib, algorithm)).digest()


def _matches(given: str, expected: Sequence[str]) -> bool:
    # Every secret is compared, so that the time tells nothing of which one matched.
    return any([hmac.compare_digest(given.encode(), text.encode()) for text in expected])  # noqa: C419 - all are compared


def _any_matches(given: Iterable[str], expected: Sequence[str]) -> bool:
    return any([_matches(signature, expected) for signature in given])  # noqa: C419 - see _matches


def _is_recent(timestamp: str, now: float, tolerance: int = TOLERANCE_SECONDS) -> bool:
    return bool(_TIMESTAMP.fullmatch(timestamp)) and abs(now - int(timestamp)) <= tolerance


def _is_standard(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    # Svix, from which the standard came, goes on sending names of its own.
    brand = "webhook" if "webhook-id" in headers else "svix"
    message_id, timestamp = headers.get(f"{brand}-id", ""), headers.get(f"{brand}-timestamp", "")
    if not message_id or "." in message_id or not _is_recent(timestamp, now):
        return False
    signed = f"{message_id}.{timestamp}.".encode("latin-1", "replace") + body
    expected = [base64.b64encode(hmac.digest(_standard_key(secret), signed, "sha256")).decode() for secret in secrets]
    # Other versions of the scheme are passed over: a downgrade must not help.
    given = [entry[3:] for entry in headers.get(f"{brand}-signature", "").split(" ") if entry.startswith("v1,")]
    return _any_matches(given, expected)


def _standard_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:  # noqa: PLR2004 - the bounds of the specification
        raise InvalidSecret("a Standard Webhooks secret is `whsec_` and the base64 of 24 to 64 random bytes")
    return key


def _is_stripe(secrets: Sequence[str], header: str, body: bytes, now: float) -> bool:
    entries = [entry.strip().partition("=")[::2] for entry in header.split(",")]
    times = [value for name, value in entries if name == "t"]
    if len(times) != 1 or not _is_recent(times[0], now):
        return False
    signed = f"{times[0]}.".encode() + body
    # `v0` is Stripe's scheme for tests: passed over like every other.
    given = [value for name, value in entries if name == "v1"]
    return _any_matches(given, [_digest(secret, signed, "sha256").hex() for secret in secrets])


def _is_slack(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    timestamp = headers.get("x-slack-request-timestamp", "")
    if not _is_recent(timestamp, now):
        return False
    signed = f"v0:{timestamp}:".encode() + body
    expected = [f"v0={_digest(secret, signed, 'sha256').hex()}" for secret in secrets]
    return _matches(headers.get("x-slack-signature", ""), expected)


def _is_hmac(auth: HmacAuth, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    signed = body
    if auth.timestamp_header is not None:
        timestamp = headers.get(auth.timestamp_header.lower(), "")
        # Some senders tell milliseconds.
        seconds = timestamp[:-3] if _MILLISECONDS.fullmatch(timestamp) else timestamp
        if not _is_recent(seconds, now, auth.tolerance):
            return False
        before, _, after = auth.signed.partition(_BODY)
        signed = before.replace(_TIME, timestamp).encode() + body + after.replace(_TIME, timestamp).encode()
    digests = [_digest(secret, signed, auth.algorithm) for secret in secrets]
    given = headers.get(auth.header.lower(), "")
    if not given.startswith(auth.prefix):
        return False
    given = given.removeprefix(auth.prefix)
    if auth.encoding == "hex":
        return _matches(given.lower(), [digest.hex() for digest in digests])
    return _matches(given, [base64.b64encode(digest).decode() for digest in digests])


def _credentials(headers: Mapping[str, str], scheme: str) -> str:
    given, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if given.lower() == scheme else ""
