"""Answers in the form of RFC 9457: every exception that leaves a handler becomes one problem document."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.types import ExceptionHandlersMap

from app.audit.refusals import Refusals
from app.auth.principal import Principal
from app.errors import ApiError, BadRequest, InvalidRequest, MissingPermission, NotFound, PayloadTooLarge
from app.outages import as_outage, is_denied
from app.query_parameters import list_choices
from engine.core.problems import Problem

MEDIA_TYPE = "application/problem+json"
# How Litestar tells that there is no body, and no parameter.
_NO_BODY = "'data'"
_MISSING = re.compile(r"^Missing required (?P<source>\w+) parameter '(?P<key>[^']+)'")
_NO_CHOICE = "Invalid enum value "
_DISCONNECTED = "client disconnected prematurely"

logger = structlog.get_logger(__name__)


class MethodNotAllowed(ApiError):
    """The path knows other methods; see Allow."""

    status = 405
    code = "method_not_allowed"


def problem_response(request: Request[Any, Any, Any], error: ApiError) -> Response[dict[str, Any]]:
    """The problem document of an error, with its headers."""
    document: dict[str, Any] = {
        "type": f"urn:flowforge:problem:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if request_id := request.scope.get("state", {}).get("request_id"):
        document["request_id"] = request_id
    if error.errors:
        document["errors"] = list(error.errors)
    document.update(error.members)
    return Response(document, status_code=error.status, media_type=MEDIA_TYPE, headers=error.headers)


def _answer_api_error(request: Request[Any, Any, Any], error: ApiError) -> Response[dict[str, Any]]:
    return problem_response(request, error)


def _answer_denied(request: Request[Any, Any, Any], error: MissingPermission) -> Response[dict[str, Any]]:
    """Denials go into the audit log, whoever decides them: a guard by the table of access, or a service beside it."""
    principal = request.scope.get("user")
    if isinstance(principal, Principal):
        refusals: Refusals = request.app.state.refusals
        call = f"{request.method} {request.scope.get('path_template')}"
        refusals.note_denied(principal, error.permission, call, error.detail)
    return problem_response(request, error)


def _answer_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    if isinstance(error, InternalServerException):
        return _answer_unexpected(request, error)
    return problem_response(request, _translate(request, error))


def _translate(request: Request[Any, Any, Any], error: HTTPException) -> ApiError:
    """Litestar's own exceptions in our words."""
    if isinstance(error, NotFoundException):
        return NotFound("There is no such path.")
    if isinstance(error, MethodNotAllowedException):
        return MethodNotAllowed(headers=error.headers)
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return PayloadTooLarge()
    if isinstance(error, ValidationException):
        return InvalidRequest(errors=_parameter_problems(request, error.extra) or _missing_parameters(error.detail))
    if isinstance(error, ClientException):
        return BadRequest(error.detail)
    other = ApiError(error.detail, headers=error.headers)
    other.status = error.status_code
    other.code = HTTPStatus(error.status_code).name.lower()
    return other


def _parameter_problems(request: Request[Any, Any, Any], extra: Any) -> list[Problem]:
    """One problem a parameter: pointers begin with where the parameter stands, like `/query/limit`."""
    problems = []
    for fault in extra if isinstance(extra, Sequence) and not isinstance(extra, str) else ():
        if isinstance(fault, Mapping):
            source = getattr(fault.get("source"), "value", fault.get("source")) or "body"
            key = str(fault.get("key", ""))
            pointer = f"/{source}/{key}" if source != "body" else f"/{key}" if key not in ("", "data") else ""
            message = str(fault.get("message", "invalid value"))
            if message == _NO_BODY:
                problems.append(Problem("", "required", "the body is missing"))
                continue
            choices = list_choices(request.route_handler, key) if message.startswith(_NO_CHOICE) else []
            if choices:
                message = f"{message.removeprefix(_NO_CHOICE)} is none of {', '.join(choices)}"
            problems.append(Problem(pointer, "choice" if choices else "invalid", message))
    return problems


def _missing_parameters(detail: str) -> list[Problem]:
    """Litestar tells of a parameter that is not there in its sentence alone."""
    missing = _MISSING.search(detail)
    return [Problem(f"/{missing['source']}/{missing['key']}", "required", "it is missing")] if missing else []


def _answer_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    if (outage := as_outage(error)) is not None:
        logger.warning("dependency unavailable", code=outage.code, error=f"{type(error).__name__}: {error}"[:500])
        return problem_response(request, outage)
    if is_denied(error):
        logger.error("row-level security refused a write", route=request.scope.get("path_template"), exc_info=error)
        return problem_response(request, NotFound())
    if isinstance(error, InternalServerException) and error.detail == _DISCONNECTED:
        # Nobody reads this answer.
        return problem_response(request, BadRequest("The client went away while it was sending the body."))
    # Its route and not its path: the path of a hook is a secret.
    logger.error("request failed", method=request.method, route=request.scope.get("path_template"), exc_info=error)
    return problem_response(request, ApiError("Something went wrong on our side. The request id leads to the log."))


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    MissingPermission: _answer_denied,
    ApiError: _answer_api_error,
    HTTPException: _answer_http_exception,
    Exception: _answer_unexpected,
}
