"""The OpenAPI document: built by Litestar, made exact here, served at `/openapi.json`."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Router
from litestar._openapi.schema_generation.plugins.struct import StructSchemaPlugin
from litestar.handlers import HTTPRouteHandler, get
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Components, License, Schema, SecurityScheme
from litestar.openapi.spec.enums import OpenAPIType
from litestar.plugins import OpenAPISchemaPlugin
from litestar.response import Response
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition
from msgspec import UNSET, Struct, UnsetType

from app.problems import MEDIA_TYPE
from engine.core.problems import Problem

SECURITY_SCHEME: Final = "bearer"
_TITLE: Final = "FlowForge"
_DESCRIPTION: Final = "Durable workflow automation. Errors are RFC 9457 problem documents with a stable `code`."
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A key of the client's own. The same request with the same key is answered as the first one was, "
    "for 24 hours; another request with it is refused with 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


class ProblemDocument(Struct, kw_only=True):
    """What went wrong, after RFC 9457. `code` is stable; `errors` lists single faults by JSON pointer."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | UnsetType = UNSET
    errors: list[Problem] | UnsetType = UNSET


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """Document these statuses as problem documents, for a handler's `responses`."""
    return {
        status: ResponseSpec(
            data_container=ProblemDocument,
            media_type=MEDIA_TYPE,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
        )
        for status in statuses
    }


class StrictStructs(StructSchemaPlugin):
    """Says `additionalProperties: false` of structs that refuse unknown fields, which Litestar leaves out."""

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """The schema of a struct."""
        schema = super().to_openapi_schema(field_definition, schema_creator)
        if field_definition.type_.__struct_config__.forbid_unknown_fields:
            schema.additional_properties = False
        return schema


class RawDocuments(OpenAPISchemaPlugin):
    """Shows fields that are kept as the bytes that came as JSON objects of any shape."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether the field is raw JSON."""
        return field_definition.annotation is msgspec.Raw

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """An object without further rules."""
        del field_definition, schema_creator
        return Schema(type=OpenAPIType.OBJECT, additional_properties=True)


class _Unrouted(Router):
    """Takes the pages that Litestar would serve, which load scripts from elsewhere, and serves none of them."""

    def register(self, value: Any) -> list[Any]:
        """Leave the handler out."""
        del value
        return []


def make_openapi_config(version: str) -> OpenAPIConfig:
    """What Litestar builds the document from."""
    return OpenAPIConfig(
        title=_TITLE,
        version=version,
        description=_DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        use_handler_docstrings=True,
        openapi_router=_Unrouted("/openapi-pages", route_handlers=[], include_in_schema=False),
        components=Components(
            security_schemes={
                SECURITY_SCHEME: SecurityScheme(type="http", scheme="bearer", description="an access token")
            }
        ),
    )


@get("/openapi.json", include_in_schema=False, public=True, sync_to_thread=False)
def get_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The document, built once."""
    state = request.app.state
    if "openapi" not in state:
        state.openapi = msgspec.json.encode(build_document(request.app))
    return Response(state.openapi, media_type="application/vnd.oai.openapi+json")


def build_document(app: Litestar) -> dict[str, Any]:
    """Litestar's document with security, problem documents and idempotency keys on every operation."""
    document = app.openapi_schema.to_schema()
    operations = dict(_operations(document))
    for handler in _handlers(app):
        if (operation := operations.get(handler.operation_id)) is not None:
            _complete(operation, handler)
    _add_problem_schema(document)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                yield operation.get("operationId"), operation


def _handlers(app: Litestar) -> Iterator[HTTPRouteHandler]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                yield handler


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler) -> None:
    public = bool(handler.opt.get("public"))
    operation["security"] = [] if public else [{SECURITY_SCHEME: []}]
    statuses = [400, 503]
    if not public:
        statuses += [401, 403]
    if any(parameter.get("in") == "path" for parameter in operation.get("parameters", [])):
        statuses.append(404)
    if "requestBody" in operation:
        statuses += [413, 415]
    if handler.opt.get("idempotent"):
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        statuses.append(409)
    for status in statuses:
        operation["responses"][str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
    for status, response in operation["responses"].items():
        if int(status) >= HTTPStatus.TOO_MANY_REQUESTS:
            response["headers"] = {
                "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}
            }


def _add_problem_schema(document: dict[str, Any]) -> None:
    _, components = msgspec.json.schema_components([ProblemDocument], ref_template="#/components/schemas/{name}")
    document["components"].setdefault("schemas", {}).update(components)
