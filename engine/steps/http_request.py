"""The `with` of an `http` step, and the request that it describes."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.steps.base import StepContext, StepFailure

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Scalar = str | int | float | bool | None
Status = Annotated[int, Meta(ge=100, le=599)] | Annotated[str, Meta(pattern="^[1-5]xx$", examples=["2xx"])]
MAX_REDIRECTS = 3


class BinaryBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes, as an `http` step gives them for a body that is no text."""

    base64: bytes


class HttpConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One HTTP request. At most one of `json`, `form` and `body` is given."""

    method: Annotated[Method, Meta(title="Method")]
    url: Annotated[str, Meta(title="URL", min_length=1, max_length=8192, examples=["https://api.example/orders/17"])]
    query: (
        Annotated[
            dict[str, Scalar | list[Scalar]],
            Meta(title="Query", description="added to the URL; null is left out, a list repeats the name"),
        ]
        | UnsetType
    ) = UNSET
    headers: Annotated[dict[str, Scalar], Meta(title="Headers", description="null is left out")] | UnsetType = UNSET
    json: Annotated[Any, Meta(title="JSON", description="any value, sent as application/json")] = UNSET
    form: (
        Annotated[
            dict[str, Scalar | list[Scalar]],
            Meta(title="Form", description="sent as application/x-www-form-urlencoded"),
        ]
        | UnsetType
    ) = UNSET
    body: Annotated[str | BinaryBody, Meta(title="Body", description="text as it is, or {base64: …}")] | UnsetType = (
        UNSET
    )
    connection: (
        Annotated[
            str,
            Meta(
                title="Connection",
                description="the name of a connection, whose credentials the request carries",
                min_length=1,
                max_length=8192,
                extra_json_schema={"format": "connection"},
            ),
        ]
        | UnsetType
    ) = UNSET
    expect_status: (
        Annotated[
            Status | list[Status],
            Meta(title="Expected status", description="what counts as success, like 404 or 2xx; default: 2xx and 3xx"),
        ]
        | UnsetType
    ) = UNSET
    redirects: Annotated[
        bool | Annotated[int, Meta(ge=0, le=MAX_REDIRECTS)],
        Meta(title="Redirects", description="how many are followed; true: 3, false: none"),
    ] = MAX_REDIRECTS

    @property
    def max_redirects(self) -> int:
        """How many redirects are followed."""
        if isinstance(self.redirects, bool):
            return MAX_REDIRECTS if self.redirects else 0
        return self.redirects


class Request(Struct, frozen=True, kw_only=True):
    """A request, ready for the client."""

    url: str
    headers: list[tuple[str, str]]
    body: bytes | None


def build_request(config: HttpConfig, context: StepContext) -> Request:
    """The request of an attempt; raises StepFailure where a value cannot be sent."""
    try:
        content_type, body = _encode_body(config)
        url = _add_query(config.url, config.query) if isinstance(config.query, dict) else config.url
    except (ValueError, OverflowError, RecursionError, TypeError) as error:
        raise StepFailure("invalid_config", f"a value of the request cannot be sent: {error}") from None
    headers = [("Idempotency-Key", context.idempotency_key), ("X-FlowForge-Attempt", str(context.attempt))]
    if context.traceparent is not None:
        headers.append(("traceparent", context.traceparent))
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    if isinstance(config.headers, dict):
        given = {name.lower() for name, value in config.headers.items() if value is not None}
        headers = [pair for pair in headers if pair[0].lower() not in given]
        headers += [(name, write_scalar(value)) for name, value in config.headers.items() if value is not None]
    return Request(url=url, headers=headers, body=body)


def _encode_body(config: HttpConfig) -> tuple[str | None, bytes | None]:
    """The default content type and the bytes."""
    if config.json is not UNSET:
        return "application/json", msgspec.json.encode(config.json)
    if isinstance(config.form, dict):
        return "application/x-www-form-urlencoded", urlencode(list(_pairs(config.form))).encode()
    if isinstance(config.body, BinaryBody):
        return "application/octet-stream", config.body.base64
    if isinstance(config.body, str):
        return "text/plain; charset=utf-8", config.body.encode()
    return None, None


def _add_query(url: str, query: Mapping[str, Scalar | list[Scalar]]) -> str:
    added = urlencode(list(_pairs(query)))
    if not added:
        return url
    address, hash_sign, fragment = url.partition("#")
    glue = "?" if "?" not in address else "" if address.endswith(("?", "&")) else "&"
    return f"{address}{glue}{added}{hash_sign}{fragment}"


def _pairs(values: Mapping[str, Scalar | list[Scalar]]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, write_scalar(item)


def write_scalar(value: str | float | bool) -> str:
    """A value as text, as JSON writes it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
