"""`/v1/workflows/{id}/triggers`, `/v1/triggers` and `/v1/hooks`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import route
from litestar.params import FromPath, FromQuery, JSONBody, PathParameter, QueryParameter
from litestar.response import Response
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_202_ACCEPTED
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.idempotency.service import Answer, answer_once
from app.openapi import problems
from app.pagination import Cursor, Page, WholeLimit, cut_page
from app.triggers.door import respond, take_hook
from app.triggers.ingest import Ingest
from app.triggers.received import ReceivedEvents
from app.triggers.schemas import (
    Ingested,
    NewTrigger,
    ReceivedView,
    RotatedTrigger,
    Rotation,
    TriggerChange,
    TriggerView,
)
from app.triggers.service import TriggerService

Wait = Annotated[float, QueryParameter(ge=0, le=60, description="seconds to wait for an event that is new")]
Token = Annotated[str, PathParameter(description="from the trigger's url")]


class WorkflowTriggerController(Controller):
    """Triggers of a workflow."""

    path = "/workflows"
    tags = ("triggers",)

    @get(
        "/{workflow_id:uuid}/triggers",
        operation_id="listTriggers",
        summary="List a workflow's triggers",
        guards=[requires(Permission.TRIGGERS_READ)],
        responses=problems(404),
    )
    async def list_triggers(
        self,
        workflow_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        triggers: NamedDependency[TriggerService],
        limit: WholeLimit = None,
        cursor: Cursor = None,
    ) -> Page[TriggerView]:
        """All of them: a workflow has few."""
        everything = await triggers.list_all(transaction, principal, workflow_id)
        items, next_cursor = cut_page(everything, limit, cursor, lambda item: str(item.id))
        return Page(items=items, next_cursor=next_cursor)

    @post(
        "/{workflow_id:uuid}/triggers",
        operation_id="createTrigger",
        summary="Add a trigger",
        status_code=HTTP_201_CREATED,
        guards=[requires(Permission.TRIGGERS_WRITE)],
        responses=problems(404, 409),
        idempotent=True,
    )
    async def create_trigger(
        self,
        request: Request[Any, Any, Any],
        workflow_id: FromPath[UUID],
        data: JSONBody[NewTrigger],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        triggers: NamedDependency[TriggerService],
    ) -> Response[TriggerView]:
        """A webhook trigger gets an address of its own: `url`."""

        async def create() -> Answer:
            return Answer(
                status=HTTP_201_CREATED, body=await triggers.create(transaction, principal, workflow_id, data)
            )

        return await answer_once(request, transaction, principal, create)


class TriggerController(Controller):
    """Single triggers."""

    path = "/triggers"
    tags = ("triggers",)

    @patch(
        "/{trigger_id:uuid}",
        operation_id="changeTrigger",
        summary="Change a trigger",
        guards=[requires(Permission.TRIGGERS_WRITE)],
        responses=problems(404),
    )
    async def change_trigger(
        self,
        trigger_id: FromPath[UUID],
        data: JSONBody[TriggerChange],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        triggers: NamedDependency[TriggerService],
    ) -> TriggerView:
        """What is left out stays, the secret too."""
        return await triggers.change(transaction, principal, trigger_id, data)

    @delete(
        "/{trigger_id:uuid}",
        operation_id="deleteTrigger",
        summary="Remove a trigger",
        guards=[requires(Permission.TRIGGERS_WRITE)],
        responses=problems(404),
    )
    async def delete_trigger(
        self,
        trigger_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        triggers: NamedDependency[TriggerService],
    ) -> None:
        """Its address answers 404 from now on; its runs stay."""
        await triggers.delete(transaction, principal, trigger_id)

    @get(
        "/{trigger_id:uuid}/events",
        operation_id="listTriggerEvents",
        summary="Show what a trigger received last, or wait for the next event",
        guards=[requires(Permission.TRIGGERS_READ)],
        responses=problems(404),
    )
    async def list_trigger_events(
        self,
        trigger_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        received: NamedDependency[ReceivedEvents],
        after: FromQuery[UUID | None] = None,
        wait: FromQuery[Wait] = 0,
    ) -> Page[ReceivedView]:
        """The last 20 events with their payloads, the newest first; with `after`, those that came after that event.

        `wait` keeps the call open for so many seconds until there is an event that is new to the caller.
        """
        items = await received.list_last(principal, trigger_id, after=after, seconds=wait)
        return Page(items=items, next_cursor=None)

    @post(
        "/{trigger_id:uuid}/rotate",
        operation_id="rotateTrigger",
        summary="Make a new address or secret",
        status_code=HTTP_200_OK,
        guards=[requires(Permission.TRIGGERS_WRITE)],
        responses=problems(404),
        idempotent=True,
    )
    async def rotate_trigger(
        self,
        request: Request[Any, Any, Any],
        trigger_id: FromPath[UUID],
        data: JSONBody[Rotation],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        triggers: NamedDependency[TriggerService],
    ) -> Response[RotatedTrigger]:
        """An old address is void at once; an old secret stays good for a while. A new secret is shown this once."""

        async def rotate() -> Answer:
            return Answer(status=HTTP_200_OK, body=await triggers.rotate(transaction, principal, trigger_id, data))

        return await answer_once(request, transaction, principal, rotate, box=triggers.box)


@route(
    "/hooks/{token:str}",
    http_method=["POST", "PUT", "GET"],
    operation_id=lambda _handler, method, _parts: f"{method.lower()}Hook",
    summary="Deliver an event",
    status_code=HTTP_202_ACCEPTED,
    tags=["triggers"],
    public=True,
    free_query=True,
    request_max_body_size=None,  # its limit is a setting of its own
    responses=problems(400, 401, 404, 413, 429, 502, 503, 504),
)
async def take_webhook(
    request: Request[Any, Any, Any], state: State, token: FromPath[Token], ingest: NamedDependency[Ingest]
) -> Response[Ingested]:
    """202 once the event is durable; 200 with the first run for a delivery that came before.

    Where the trigger says `respond: sync`: what the run's `respond` step answers, else 200 with the run's output.
    """
    # Plain calls do not come here: see `app/triggers/door.py`.
    limit = state.settings.hook_max_body
    return respond(await take_hook(ingest, token, request.scope, request.receive, limit=limit))
