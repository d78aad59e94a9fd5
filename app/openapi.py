"""The OpenAPI document: built by Litestar, made exact here, served at `/openapi.json`."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Router
from litestar.handlers import HTTPRouteHandler, get
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Components, License, Schema, SecurityScheme
from litestar.plugins import OpenAPISchemaPlugin
from litestar.response import Response
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition
from msgspec import UNSET, Struct, UnsetType

from app.problems import MEDIA_TYPE
from engine.core.problems import Problem

SECURITY_SCHEME: Final = "bearer"
_MARK: Final = "flowforge-struct:"
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


class StructSchemas(OpenAPISchemaPlugin):
    """Leaves bodies to msgspec, which decodes and encodes them and so describes them exactly.

    Litestar's own description loses `additionalProperties: false` and unset fields. It gets a mark in the place of each
    struct, which `build_document` replaces by a reference.
    """

    def __init__(self) -> None:
        self.types: dict[str, Any] = {}

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether the field is a struct, or JSON that is passed on as it is."""
        return field_definition.is_subclass_of((Struct, msgspec.Raw))

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """The mark of a type."""
        del schema_creator
        key = str(field_definition.annotation)
        self.types[key] = field_definition.annotation
        return Schema(title=_MARK + key)


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
    """Litestar's document with msgspec's schemas, and security, problems and idempotency keys on every operation."""
    litestars: dict[str, Any] = app.openapi_schema.to_schema()
    types = app.plugins.get(StructSchemas).types
    schemas, components = msgspec.json.schema_components(
        [*types.values(), ProblemDocument], ref_template="#/components/schemas/{name}"
    )
    document: dict[str, Any] = _replace_marks(litestars, dict(zip(types, schemas, strict=False)))
    document["components"]["schemas"] = components
    for path, method, handler in _handlers(app):
        if (operation := document["paths"].get(path, {}).get(method)) is not None:
            _complete(operation, handler)
    return document


def _replace_marks(node: Any, schemas: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_replace_marks(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    title = node.get("title")
    if isinstance(title, str) and title.startswith(_MARK):
        return schemas[title.removeprefix(_MARK)]
    return {key: _replace_marks(value, schemas) for key, value in node.items()}


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                yield route.path_format, method.lower(), handler


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler) -> None:
    public = bool(handler.opt.get("public"))
    operation["security"] = [] if public else [{SECURITY_SCHEME: []}]
    statuses = [400, 503]
    if not public:
        statuses += [401, 403]
    if any(parameter.get("in") == "path" for parameter in operation.get("parameters", [])):
        statuses.append(404)
    if (body := handler.opt.get("request_body")) is not None:
        # A body that is not JSON alone, which its handler reads itself.
        operation["requestBody"] = body
    if (media_type := handler.opt.get("also_answers")) is not None:
        # The same document, written otherwise.
        content = operation["responses"]["200"]["content"]
        content[media_type] = content["application/json"]
    if "requestBody" in operation:
        statuses += [413, 415]
    if handler.opt.get("idempotent"):
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        statuses.append(409)
    for status in set(statuses) - set(handler.responses or ()):
        operation["responses"][str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
    for status, response in operation["responses"].items():
        if int(status) in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            response["headers"] = {
                "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}
            }
