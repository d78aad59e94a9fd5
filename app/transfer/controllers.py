"""`/v1/workflows/{id}/export` and `/v1/workflows/import`."""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.dependencies import Isolation
from app.idempotency.service import Answer, answer_once
from app.openapi import problems
from app.transfer.documents import MAX_IMPORT_BYTES, FileReader
from app.transfer.schemas import IMPORT_BODY, ImportResult, WorkflowFile
from app.transfer.service import Mode, TransferService
from app.transfer.yaml_writer import write_document
from app.triggers.service import TriggerService

YAML_TYPE = "application/yaml"

Format = Annotated[Literal["yaml", "json"], QueryParameter(description="what the file is written in")]
Modes = Annotated[Mode, QueryParameter(description="`update`: a workflow of the same name gets the file as its draft")]
BareName = Annotated[
    str | None, QueryParameter(min_length=1, max_length=200, description="names a definition that stands alone")
]


class TransferController(Controller):
    """Workflows as files."""

    path = "/workflows"
    tags = ("workflows",)

    @get(
        "/{workflow_id:uuid}/export",
        operation_id="exportWorkflow",
        summary="Export a workflow",
        guards=[requires(Permission.WORKFLOWS_READ), requires(Permission.TRIGGERS_READ)],
        also_answers=YAML_TYPE,
    )
    async def export_workflow(
        self,
        workflow_id: FromPath[UUID],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        triggers: NamedDependency[TriggerService],
        format: FromQuery[Format] = "yaml",  # noqa: A002 - the name in the query
    ) -> Response[WorkflowFile]:
        """The draft and its triggers as a file that an import takes. Secrets are left out."""
        file = await TransferService(transaction, principal, triggers).export(workflow_id)
        if format == "json":
            text = msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
        else:
            text = write_document(msgspec.json.decode(msgspec.json.encode(file)))
        media_type = YAML_TYPE if format == "yaml" else "application/json"
        headers = {"content-disposition": f'attachment; filename="{_file_name(file.name)}.{format}"'}
        response: Response[Any] = Response(text, media_type=media_type, headers=headers)
        return response

    @post(
        "/import",
        operation_id="importWorkflows",
        summary="Import workflows",
        status_code=HTTP_201_CREATED,
        guards=[requires(Permission.WORKFLOWS_WRITE)],
        request_max_body_size=MAX_IMPORT_BYTES,
        responses={
            HTTP_200_OK: ResponseSpec(
                data_container=ImportResult, generate_examples=False, description="None of the workflows is new"
            ),
            **problems(409, 413, 415),
        },
        request_body=IMPORT_BODY,
        idempotent=True,
    )
    async def import_workflows(
        self,
        request: Request[Any, Any, Any],
        state: State,
        principal: NamedDependency[Principal],
        triggers: NamedDependency[TriggerService],
        file_reader: NamedDependency[FileReader],
        mode: FromQuery[Modes] = "create",
        name: FromQuery[BareName] = None,
    ) -> Response[ImportResult]:
        """Save the workflows of a file as drafts, all or none. Faults of a draft come back as its `problems`."""
        files = await file_reader.read(await request.body(), request.headers, name)
        isolation: Isolation = state.isolation
        async with isolation.begin(principal.workspace_id) as transaction:

            async def create() -> Answer:
                items = await TransferService(transaction, principal, triggers).take(files, mode)
                is_new = any(item.outcome == "created" for item in items)
                return Answer(status=HTTP_201_CREATED if is_new else HTTP_200_OK, body=ImportResult(items=items))

            return await answer_once(request, transaction, principal, create)


def _file_name(name: str) -> str:
    """The workflow's name as a file's: letters and digits of ASCII, and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:100] or "workflow"
