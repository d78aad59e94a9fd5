"""Webhook triggers: their configuration, what a request becomes, and what deduplicates it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qs

import msgspec
from msgspec import UNSET, Struct, UnsetType

from engine.core.expressions import Expression, ExpressionError, compile_expression
from engine.core.problems import Problem
from engine.triggers.signatures import InvalidSecret, WebhookAuth, check_secret

# The first of these that a request carries names the delivery.
DEDUP_HEADERS = ("webhook-id", "x-github-delivery", "idempotency-key")
LONGEST_KEY = 512
FORM_TYPES = ("application/x-www-form-urlencoded",)
# Credentials that came with a request are no business of its run.
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


class WebhookConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a webhook trigger takes requests. Secrets are kept apart from it."""

    auth: Literal["none"] | WebhookAuth = "none"
    dedup_key: str | UnsetType = UNSET
    respond: Literal["accepted"] = "accepted"


class DedupError(Exception):
    """The trigger's own dedup_key cannot be made of this request."""


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
    if isinstance(config.dedup_key, str):
        problems.extend(_dedup_problems(config.dedup_key))
    return problems


def _dedup_problems(source: str) -> list[Problem]:
    pointer = "/config/dedup_key"
    try:
        expression = compile_expression(source)
    except ExpressionError as error:
        return [Problem(pointer, error.code, f"{error.message} (at position {error.position})")]
    return [
        Problem(pointer, "unknown_name", f"there is no name '{root}' here; a dedup key reads `trigger`")
        for root in sorted({reference[0] for reference in expression.references} - {"trigger"})
    ]


def split_secret(config: WebhookConfig) -> tuple[WebhookConfig, str | None]:
    """The configuration without its secret, and the secret."""
    if isinstance(config.auth, str) or config.auth.secret is None:
        return config, None
    bare = msgspec.structs.replace(config.auth, secret=None)
    return msgspec.structs.replace(config, auth=bare), config.auth.secret


def describe_request(
    *, method: str, headers: Mapping[str, str], query: Mapping[str, Any], body: bytes, received_at: datetime
) -> dict[str, Any]:
    """The request as `trigger` shows it to expressions. Header names are lower case."""
    return {
        "type": "webhook",
        "method": method,
        "headers": {name: value for name, value in headers.items() if name not in SECRET_HEADERS},
        "query": dict(query),
        "body": read_body(headers.get("content-type", ""), body),
        "received_at": msgspec.to_builtins(received_at),
    }


def read_body(content_type: str, body: bytes) -> Any:
    """JSON as its value, a form as an object, anything else as text; null where there is none."""
    if not body:
        return None
    if content_type.partition(";")[0].strip().lower() in FORM_TYPES:
        fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=10_000)
        return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode(errors="replace")


def make_dedup_key(config: WebhookConfig, headers: Mapping[str, str], trigger: Mapping[str, Any]) -> str | None:
    """What names this delivery: the trigger's own expression, else the sender's id; None where nothing does.

    Raises DedupError where the expression fails.
    """
    if isinstance(config.dedup_key, str):
        try:
            value = _compile(config.dedup_key).evaluate({"trigger": trigger})
        except ExpressionError as error:
            raise DedupError(f"dedup_key: {error.message}") from error
        if value is None:
            return None
        text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
        return _storable(text)
    given = next((headers[name] for name in DEDUP_HEADERS if headers.get(name)), None)
    return None if given is None else _storable(given)


def _storable(key: str) -> str:
    """The key as PostgreSQL's text takes it: of bounded length, without NUL, and as distinct as it was."""
    if len(key) <= LONGEST_KEY and "\0" not in key:
        return key
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


@lru_cache(maxsize=1024)
def _compile(source: str) -> Expression:
    return compile_expression(source)
