"""The `http` step: one HTTP request an attempt."""

from collections.abc import Iterable, Mapping
from math import floor
from typing import Any, ClassVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from engine.core.places import escape_token
from engine.infra.http_errors import HttpError, InvalidHeaderError, InvalidUrlError
from engine.infra.http_headers import check_headers
from engine.infra.http_url import parse_url
from engine.infra.redaction import Redactor
from engine.steps.base import ActionStep, Fault, RetryDefaults, StepContext, StepFailure
from engine.steps.connected import connected
from engine.steps.http_request import HttpConfig, Request, build_request, write_scalar
from engine.steps.http_result import describe_status, is_expected, read_body
from engine.steps.templates import is_template

BODY_FIELDS = ("json", "form", "body")


class HttpStep(ActionStep):
    """Calls a target and gives its answer: `{status, headers, body, elapsed_ms}`.

    Connection errors, timeouts, 429 and 5xx may be tried again; everything else fails for good.
    """

    name: ClassVar = "http"
    title: ClassVar = "HTTP request"
    icon: ClassVar = "globe"
    Config: ClassVar = HttpConfig
    keeps_timeout: ClassVar = True
    default_timeout: ClassVar = 30.0
    default_retry: ClassVar = RetryDefaults(max_attempts=4, initial=1.0, factor=2.0, max=60.0, jitter=True)

    def check(self, config: Mapping[str, Any]) -> Iterable[Fault]:
        """At most one kind of body; the URL and headers, as far as they are no templates, can be sent."""
        given = [field for field in BODY_FIELDS if field in config]
        if len(given) > 1:
            names = " and ".join(f"`{field}`" for field in given)
            yield f"/{given[1]}", "several_bodies", f"{names} both describe the body of the request; give one of them"
        url = config.get("url")
        if isinstance(url, str) and url and not is_template(url):
            try:
                parse_url(url)
            except InvalidUrlError as error:
                yield "/url", error.code, error.message
        headers = config.get("headers")
        for name, value in headers.items() if isinstance(headers, dict) else ():
            yield from _check_header(name, value)

    def find_target(self, config: Mapping[str, Any]) -> str:
        """Where the request goes first; raises InvalidUrlError."""
        url = parse_url(config["url"])
        return f"{url.raw_host}:{url.port}".lower()

    async def run(self, config: HttpConfig, context: StepContext) -> dict[str, Any]:
        """Send the request once; raises StepFailure."""
        request = build_request(config, context)
        if isinstance(config.connection, str):
            async with connected(config.connection, context, request.url) as connection:
                request = replace(request, headers=connection.add_to(request.headers))
                # A part of the time went into opening it.
                timeout = floor(context.remaining_seconds * 100) / 100
                output = await _send(config, context, request, timeout, connection.redactor)
                # What the target gave; the names around it are ours, and a short secret may be one of them.
                return output | {part: connection.redactor.clean(output[part]) for part in ("headers", "body")}
        return await _send(config, context, request, context.timeout)


async def _send(
    config: HttpConfig, context: StepContext, request: Request, timeout: float, redactor: Redactor | None = None
) -> dict[str, Any]:
    """Send it and read the answer; the redactor is for what is cut out of a body."""
    try:
        response = await context.http.request(
            config.method,
            request.url,
            headers=request.headers,
            body=request.body,
            timeout=timeout,
            max_redirects=config.max_redirects,
        )
    except HttpError as error:
        raise StepFailure(error.code, error.message, cause=error.cause, retryable=error.is_retryable) from error
    if not is_expected(config, response.status):
        raise describe_status(response, urlsplit(response.url).hostname or "", config.expect_status, redactor)
    return {
        "status": response.status,
        "headers": response.headers,
        "body": read_body(response, redactor),
        "elapsed_ms": response.elapsed_ms,
    }


def _check_header(name: str, value: Any) -> Iterable[Fault]:
    text = write_scalar(value) if isinstance(value, str | int | float) and not is_template(value) else ""
    try:
        check_headers([(name, text)])
    except InvalidHeaderError as error:
        yield "/headers/" + escape_token(name), error.code, error.message
