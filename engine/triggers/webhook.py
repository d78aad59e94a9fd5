"""Webhook triggers: their configuration, what a request becomes, what names it, and what keeps it away."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from engine.core.control import name_type
from engine.core.expressions import Expression, ExpressionError, Fuel, compile_expression
from engine.core.problems import Problem
from engine.triggers.bodies import read_body
from engine.triggers.flow import HOOK_FUEL, find_flow_problems
from engine.triggers.limits import LimitedConfig
from engine.triggers.signatures import (
    InvalidSecret,
    SlackAuth,
    StripeAuth,
    WebhookAuth,
    check_secret,
    find_signing_fault,
)

# The first of these that a request carries names the delivery.
DEDUP_HEADERS = ("webhook-id", "svix-id", "x-github-delivery", "idempotency-key")
# Providers whose id of a delivery stands in the body, under the signature, rather than in a header.
_PROVIDER_IDS: dict[type, str] = {StripeAuth: "id", SlackAuth: "event_id"}
LONGEST_KEY = 512
# Proxies on the way seldom keep an idle request open for longer.
LONGEST_RESPONSE_SECONDS = 300
# Credentials that came with a request are no business of its run.
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


Source = Annotated[str, Meta(max_length=10_000)]


class WebhookConfig(LimitedConfig, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a webhook trigger takes requests. Secrets are kept apart from it."""

    auth: Literal["none"] | WebhookAuth = "none"
    dedup_key: Source | UnsetType = UNSET
    filter: Source | UnsetType = UNSET
    respond: Literal["accepted", "sync"] = "accepted"
    respond_timeout: Annotated[float, Meta(gt=0, le=LONGEST_RESPONSE_SECONDS)] = 30.0


class DedupError(Exception):
    """The trigger's own dedup_key cannot be made of this request."""


class FilterError(Exception):
    """The trigger's filter tells neither true nor false of this request."""


class Described(NamedTuple):
    """A request as expressions see it, and as it is kept: with a JSON body byte by byte as it came."""

    seen: dict[str, Any]
    kept: dict[str, Any]


def find_config_problems(config: WebhookConfig, *, has_secret: bool) -> list[Problem]:
    """What a webhook trigger cannot be saved with; `has_secret`: one is kept from before."""
    problems: list[Problem] = []
    if not isinstance(config.auth, str):
        secret = config.auth.secret
        if secret is None and not has_secret:
            message = "this kind of authentication needs a secret"
            problems.append(Problem("/config/auth/secret", "secret_required", message))
        if secret is not None:
            try:
                check_secret(config.auth, secret)
            except InvalidSecret as error:
                problems.append(Problem("/config/auth/secret", "invalid_secret", str(error)))
        if fault := find_signing_fault(config.auth):
            problems.append(Problem("/config/auth/signed", "invalid", fault))
    if isinstance(config.dedup_key, str):
        problems.extend(find_expression_problems("/config/dedup_key", config.dedup_key, "a dedup key"))
    if isinstance(config.filter, str):
        problems.extend(find_expression_problems("/config/filter", config.filter, "a filter"))
    problems.extend(find_flow_problems(config, is_answered_later=config.respond == "sync"))
    return problems


def find_expression_problems(pointer: str, source: str, what: str) -> list[Problem]:
    """Why an expression over `trigger` cannot be used; `what` names its use."""
    try:
        expression = compile_expression(source)
    except ExpressionError as error:
        return [Problem(pointer, error.code, f"{error.message} (at position {error.position})")]
    return [
        Problem(pointer, "unknown_name", f"there is no name '{root}' here; {what} reads `trigger`")
        for root in sorted({reference[0] for reference in expression.references} - {"trigger"})
    ]


def split_secret(config: WebhookConfig) -> tuple[WebhookConfig, str | None]:
    """The configuration without its secret, and the secret."""
    if isinstance(config.auth, str) or config.auth.secret is None:
        return config, None
    bare = msgspec.structs.replace(config.auth, secret=None)
    return msgspec.structs.replace(config, auth=bare), config.auth.secret


def describe_request(
    *,
    method: str,
    headers: Mapping[str, str],
    query: Mapping[str, Any],
    body: bytes,
    received_at: datetime,
    is_text: bool = False,
) -> Described:
    """The request as `trigger` shows it to expressions. Header names are lower case.

    `is_text`: its body shall not be read as JSON.
    """
    read = read_body(headers.get("content-type", ""), body, is_text=is_text)
    seen = {
        "type": "webhook",
        "method": method,
        "headers": {name: value for name, value in headers.items() if name not in SECRET_HEADERS},
        "query": dict(query),
        "body": read.value,
        "received_at": msgspec.to_builtins(received_at),
    }
    return Described(seen, {**seen, "body": msgspec.Raw(body)} if read.is_json else seen)


def make_dedup_key(config: WebhookConfig, headers: Mapping[str, str], trigger: Mapping[str, Any]) -> str | None:
    """What names this delivery: the trigger's own expression, else the sender's id; None where nothing does.

    Raises DedupError where the expression fails.
    """
    if isinstance(config.dedup_key, str):
        try:
            value = _compile(config.dedup_key).evaluate({"trigger": trigger}, fuel=Fuel(HOOK_FUEL))
        except ExpressionError as error:
            raise DedupError(f"dedup_key: {error.message}") from error
        text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
        # An empty field names nothing, as an empty header does: else all that leave it empty were one delivery.
        return _storable(text) if text and value is not None else None
    given = _find_provider_id(config, trigger) or next(
        (headers[name] for name in DEDUP_HEADERS if headers.get(name)), None
    )
    return None if given is None else _storable(given)


def _find_provider_id(config: WebhookConfig, trigger: Mapping[str, Any]) -> str | None:
    field, body = _PROVIDER_IDS.get(type(config.auth)), trigger.get("body")
    found = body.get(field) if field is not None and isinstance(body, dict) else None
    return found if isinstance(found, str) and found else None


def is_let_through(config: WebhookConfig, trigger: Mapping[str, Any]) -> bool:
    """Whether the trigger's filter lets the request start a run; raises FilterError where it fails."""
    if not isinstance(config.filter, str):
        return True
    try:
        value = _compile(config.filter).evaluate({"trigger": trigger}, fuel=Fuel(HOOK_FUEL))
    except ExpressionError as error:
        raise FilterError(f"filter: {error.message}") from error
    if not isinstance(value, bool):
        raise FilterError(f"filter: it gave {name_type(value)}; it must give true or false")
    return value


def _storable(key: str) -> str:
    """The key as PostgreSQL's text takes it: of bounded length, without NUL, and as distinct as it was."""
    if len(key) <= LONGEST_KEY and "\0" not in key:
        return key
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


@lru_cache(maxsize=1024)
def _compile(source: str) -> Expression:
    return compile_expression(source)
