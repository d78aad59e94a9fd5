"""`/v1/events`: what became of everything that triggers received."""

from collections.abc import Sequence
from typing import Annotated, Any, get_args
from uuid import UUID

from litestar import Controller, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec.structs import asdict
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.dependencies import Isolation, driver_connection
from app.errors import InvalidRequest, NotFound
from app.moments import Moment, read_floor
from app.openapi import problems
from app.pagination import Cursor, Limit, Page, decode_cursor, make_page
from app.query_parameters import read_choices
from app.receipts.schemas import Outcome, Receipt
from app.triggers.origins import GONE, find_origins
from engine.core.problems import Problem
from engine.store.receipts import ReceiptFilter, find_receipt, list_receipts

OUTCOMES = get_args(Outcome)

Outcomes = Annotated[str | None, QueryParameter(max_length=100, description="one outcome or several, comma separated")]


class ReceiptController(Controller):
    """Receipts of inbound events."""

    path = "/events"
    tags = ("triggers",)

    @get(
        operation_id="listEvents",
        summary="List inbound events",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(400),
    )
    async def list_events(
        self,
        state: State,
        principal: NamedDependency[Principal],
        trigger_id: FromQuery[UUID | None] = None,
        workflow_id: FromQuery[UUID | None] = None,
        outcome: FromQuery[Outcomes] = None,
        since: FromQuery[Moment] = None,
        until: FromQuery[Moment] = None,
        limit: FromQuery[Limit] = 50,
        cursor: FromQuery[Cursor] = None,
    ) -> Page[Receipt]:
        """What became of each, the newest first. Of rejected ones there is a sample."""
        chosen = ReceiptFilter(
            trigger_id=trigger_id,
            workflow_id=workflow_id,
            outcomes=_read_outcomes(outcome),
            since=read_floor(since, "since"),
            until=read_floor(until, "until"),
        )
        before = decode_cursor(cursor)
        isolation: Isolation = state.isolation
        async with isolation.begin(principal.workspace_id) as transaction:
            connection = await driver_connection(transaction)
            rows = await list_receipts(connection, principal.workspace_id, chosen, before=before, limit=limit + 1)
            receipts = await _show(transaction, principal, rows)
        return make_page(receipts, limit, lambda receipt: receipt, lambda receipt: receipt.id)

    @get(
        "/{event_id:uuid}",
        operation_id="getEvent",
        summary="What became of an inbound event",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(404),
    )
    async def get_event(self, state: State, event_id: FromPath[UUID], principal: NamedDependency[Principal]) -> Receipt:
        """The receipt of an accepted event, or of a rejected one that was kept as a sample."""
        isolation: Isolation = state.isolation
        async with isolation.begin(principal.workspace_id) as transaction:
            row = await find_receipt(await driver_connection(transaction), event_id, principal.workspace_id)
            if row is None:
                raise NotFound
            (receipt,) = await _show(transaction, principal, [row])
        return receipt


async def _show(transaction: AsyncConnection, principal: Principal, rows: Sequence[dict[str, Any]]) -> list[Receipt]:
    origins = await find_origins(transaction, principal, {row["trigger_id"] for row in rows})
    return [Receipt(**row, **asdict(origins.get(row["trigger_id"], GONE))) for row in rows]


def _read_outcomes(text: str | None) -> list[str] | None:
    problems: list[Problem] = []
    outcomes = read_choices(text, OUTCOMES, "outcome", problems)
    if problems:
        raise InvalidRequest(errors=problems)
    return outcomes
