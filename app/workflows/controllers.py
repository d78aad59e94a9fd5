"""`/v1/workflows`: drafts, validation, versions."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.bodies import NOTHING_SAID, NoFields
from app.etags import make_etag, require_if_match
from app.idempotency.service import Answer, answer_once
from app.openapi import problems
from app.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor
from app.workflows.schemas import (
    NewWorkflow,
    Validation,
    VersionDetail,
    VersionSummary,
    WorkflowChange,
    WorkflowDetail,
    WorkflowSummary,
)
from app.workflows.service import WorkflowService, validate

Search = Annotated[
    str | None, QueryParameter(max_length=200, pattern=r"^[^\x00]*$", description="part of the name, in any case")
]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="the ETag that was read")]

_SAME_VERSION = ResponseSpec(
    data_container=VersionDetail, generate_examples=False, description="The latest version, which the draft equals"
)


class WorkflowController(Controller):
    """Workflows."""

    path = "/workflows"
    tags = ("workflows",)

    @get(operation_id="listWorkflows", summary="List workflows", guards=[requires(Permission.WORKFLOWS_READ)])
    async def list_workflows(
        self,
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        q: Search = None,
    ) -> Page[WorkflowSummary]:
        """Newest first, without definitions; each with how its last runs went and when it is due next."""
        return await WorkflowService(transaction, principal).list(q=q, after=decode_cursor(cursor), limit=limit)

    @post(
        operation_id="createWorkflow",
        summary="Create a workflow",
        status_code=HTTP_201_CREATED,
        guards=[requires(Permission.WORKFLOWS_WRITE)],
        idempotent=True,
    )
    async def create_workflow(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[NewWorkflow],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
    ) -> Response[WorkflowDetail]:
        """Save a draft, faults and all: they come back as `problems`."""

        async def create() -> Answer:
            detail = await WorkflowService(transaction, principal).create(data)
            headers = {"etag": make_etag(detail.revision), "location": f"/v1/workflows/{detail.id}"}
            return Answer(status=HTTP_201_CREATED, body=detail, headers=headers)

        return await answer_once(request, transaction, principal, create)

    @post(
        "/validate",
        operation_id="validateWorkflow",
        summary="Validate a definition",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.WORKFLOWS_READ)],
    )
    async def validate_workflow(
        self, data: JSONBody[msgspec.Raw], state: State, principal: NamedDependency[Principal]
    ) -> Validation:
        """Every fault at once. The body is the definition itself, or `{"definition": …}`; nothing is saved."""
        # No transaction: hardly any definition needs a look into the database.
        return await validate(bytes(data), state.database, principal.workspace_id)

    @get(
        "/{workflow_id:uuid}",
        operation_id="getWorkflow",
        summary="Read a workflow",
        guards=[requires(Permission.WORKFLOWS_READ)],
    )
    async def get_workflow(
        self,
        workflow_id: FromPath[UUID],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
    ) -> Response[WorkflowDetail]:
        """The draft with what is wrong with it; the ETag stands for the draft."""
        return _with_etag(await WorkflowService(transaction, principal).read(workflow_id))

    @patch(
        "/{workflow_id:uuid}",
        operation_id="changeWorkflow",
        summary="Change a workflow",
        guards=[requires(Permission.WORKFLOWS_WRITE)],
        responses=problems(412, 428),
    )
    async def change_workflow(
        self,
        workflow_id: FromPath[UUID],
        data: JSONBody[WorkflowChange],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        if_match: IfMatch = None,
    ) -> Response[WorkflowDetail]:
        """Change what the body names. `If-Match` is required: 412 tells who changed it meanwhile."""
        service = WorkflowService(transaction, principal)
        return _with_etag(await service.change(workflow_id, data, require_if_match(if_match)))

    @delete(
        "/{workflow_id:uuid}",
        operation_id="deleteWorkflow",
        summary="Delete a workflow",
        guards=[requires(Permission.WORKFLOWS_DELETE)],
        responses=problems(412),
    )
    async def delete_workflow(
        self,
        workflow_id: FromPath[UUID],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        if_match: IfMatch = None,
    ) -> None:
        """It is found no more; its runs and versions stay."""
        await WorkflowService(transaction, principal).delete(workflow_id, if_match)

    @post(
        "/{workflow_id:uuid}/publish",
        operation_id="publishWorkflow",
        summary="Publish the draft",
        status_code=HTTP_201_CREATED,
        guards=[requires(Permission.WORKFLOWS_PUBLISH)],
        responses={200: _SAME_VERSION, **problems(412, 422)},
        idempotent=True,
    )
    async def publish_workflow(
        self,
        request: Request[Any, Any, Any],
        workflow_id: FromPath[UUID],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        if_match: IfMatch = None,
        data: JSONBody[NoFields] = NOTHING_SAID,
    ) -> Response[VersionDetail]:
        """Make the draft the next, immutable version; 200 with the latest version where the draft is the same."""
        del data

        async def publish() -> Answer:
            version, is_new = await WorkflowService(transaction, principal).publish(workflow_id, if_match)
            headers = {"location": f"/v1/workflows/{workflow_id}/versions/{version.version}"}
            return Answer(status=HTTP_201_CREATED if is_new else HTTP_200_OK, body=version, headers=headers)

        return await answer_once(request, transaction, principal, publish)

    @get(
        "/{workflow_id:uuid}/versions",
        operation_id="listVersions",
        summary="List versions",
        guards=[requires(Permission.WORKFLOWS_READ)],
    )
    async def list_versions(
        self,
        workflow_id: FromPath[UUID],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[VersionSummary]:
        """Newest first, without definitions."""
        service = WorkflowService(transaction, principal)
        return await service.list_versions(workflow_id, after=decode_cursor(cursor), limit=limit)

    @get(
        "/{workflow_id:uuid}/versions/{version:int}",
        operation_id="getVersion",
        summary="Read a version",
        guards=[requires(Permission.WORKFLOWS_READ)],
    )
    async def get_version(
        self,
        workflow_id: FromPath[UUID],
        version: FromPath[int],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
    ) -> VersionDetail:
        """A version as it was published."""
        return await WorkflowService(transaction, principal).read_version(workflow_id, version)

    @post(
        "/{workflow_id:uuid}/versions/{version:int}/restore",
        operation_id="restoreVersion",
        summary="Restore a version",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.WORKFLOWS_WRITE)],
        responses=problems(412),
        idempotent=True,
    )
    async def restore_version(
        self,
        request: Request[Any, Any, Any],
        workflow_id: FromPath[UUID],
        version: FromPath[int],
        transaction: NamedDependency[AsyncConnection],
        principal: NamedDependency[Principal],
        if_match: IfMatch = None,
        data: JSONBody[NoFields] = NOTHING_SAID,
    ) -> Response[WorkflowDetail]:
        """Make the version's definition the draft again; it is published by a call of its own."""
        del data

        async def restore() -> Answer:
            detail = await WorkflowService(transaction, principal).restore(workflow_id, version, if_match)
            return Answer(status=HTTP_200_OK, body=detail, headers={"etag": make_etag(detail.revision)})

        return await answer_once(request, transaction, principal, restore)


def _with_etag(detail: WorkflowDetail) -> Response[WorkflowDetail]:
    return Response(detail, headers={"etag": make_etag(detail.revision)})
