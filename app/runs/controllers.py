"""`/v1/workflows/{id}/runs`, `/v1/runs` and `/v1/stream`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, MediaType, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, PathParameter, QueryParameter
from litestar.response import Response, Stream
from litestar.status_codes import HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT, HTTP_304_NOT_MODIFIED

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.bodies import NOTHING_SAID, NoFields
from app.dependencies import Isolation, driver_connection
from app.etags import matches
from app.idempotency.service import HEADER, Answer, answer_once
from app.moments import Moment
from app.openapi import problems
from app.pagination import Cursor, Limit, Page
from app.runs.schemas import (
    CancelAccepted,
    CountedRuns,
    IterationView,
    RunDefinition,
    RunDetail,
    RunEventView,
    RunStarted,
    RunSummary,
    StartRunRequest,
    TriggerType,
)
from app.runs.service import RunService, read_number
from app.runs.stream import STREAM_HEADERS, STREAM_TYPE, LiveStreams

MAX_EVENTS = 1000
CHUNK_BYTES = 65_536

Statuses = Annotated[str | None, QueryParameter(max_length=200, description="one status or several, comma separated")]
StartedBy = Annotated[TriggerType | None, QueryParameter(description="what the runs were started by")]
Search = Annotated[str | None, QueryParameter(max_length=200, description="id prefix, workflow name or error text")]
Tests = Annotated[
    Literal["true", "false", "all"] | None,
    QueryParameter(description="`true`: tests of drafts alone; `all`: those as well; they are left out otherwise"),
]
Seq = Annotated[int, QueryParameter(ge=0, le=2_147_483_647, description="only events after this seq")]
Parent = Annotated[
    str,
    QueryParameter(min_length=1, max_length=1000, description="path of a `foreach`, like `each` or `outer[2].inner`"),
]
ItemStatus = Annotated[
    Literal["failed"] | None, QueryParameter(description="`failed`: only the items that failed, in their order")
]
Reference = Annotated[str, PathParameter(min_length=1, max_length=64, description="`ref` of a large value")]
AS_PUBLISHED = StartRunRequest()
EventLimit = Annotated[int, QueryParameter(ge=1, le=MAX_EVENTS)]


class RunStartController(Controller):
    """Starting runs."""

    path = "/workflows"
    tags = ("runs",)

    @post(
        "/{workflow_id:uuid}/runs",
        operation_id="startRun",
        summary="Start a run",
        status_code=HTTP_202_ACCEPTED,
        guards=[requires(Permission.RUNS_START)],
        responses=problems(404, 409),
        idempotent=True,
    )
    async def start_run(
        self,
        request: Request[Any, Any, Any],
        state: State,
        workflow_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        data: JSONBody[StartRunRequest] = AS_PUBLISHED,
    ) -> Response[RunStarted]:
        """Accept a run of the published version, or of the one named; it is durable when this answers."""
        if HEADER not in request.headers:
            run_id = await runs.start(principal, workflow_id, data)
            return Response(RunStarted(run_id=run_id), status_code=HTTP_202_ACCEPTED)
        isolation: Isolation = state.isolation
        async with isolation.begin(principal.workspace_id) as transaction:

            async def create() -> Answer:
                connection = await driver_connection(transaction)
                started = await runs.start_within(connection, principal, workflow_id, data)
                return Answer(status=HTTP_202_ACCEPTED, body=RunStarted(run_id=started))

            response = await answer_once(request, transaction, principal, create)
        runs.ring()
        return response


class RunController(Controller):
    """Reading, watching and cancelling runs."""

    path = "/runs"
    tags = ("runs",)

    @get(
        operation_id="listRuns",
        summary="List runs",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(400),
    )
    async def list_runs(
        self,
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        workflow_id: FromQuery[UUID | None] = None,
        status: FromQuery[Statuses] = None,
        trigger_type: FromQuery[StartedBy] = None,
        since: FromQuery[Moment] = None,
        until: FromQuery[Moment] = None,
        q: FromQuery[Search] = None,
        test: FromQuery[Tests] = None,
        limit: FromQuery[Limit] = 50,
        cursor: FromQuery[Cursor] = None,
    ) -> Page[RunSummary]:
        """Runs of the workspace, the newest first."""
        chosen = {
            "workflow_id": workflow_id,
            "status": status,
            "trigger_type": trigger_type,
            "since": since,
            "until": until,
            "q": q,
            "test": test,
        }
        return await runs.list_page(principal, chosen, cursor=cursor, limit=limit)

    @get(
        "/counts",
        operation_id="countRuns",
        summary="Count runs by status",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(400),
    )
    async def count_runs(
        self,
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        workflow_id: FromQuery[UUID | None] = None,
        trigger_type: FromQuery[StartedBy] = None,
        since: FromQuery[Moment] = None,
        until: FromQuery[Moment] = None,
        q: FromQuery[Search] = None,
        test: FromQuery[Tests] = None,
    ) -> CountedRuns:
        """How many runs the list would hold for each status, with these filters beside it."""
        chosen = {
            "workflow_id": workflow_id,
            "trigger_type": trigger_type,
            "since": since,
            "until": until,
            "q": q,
            "test": test,
        }
        return await runs.count(principal, chosen)

    @get(
        "/{run_id:uuid}",
        operation_id="getRun",
        summary="Read a run",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(404),
    )
    async def get_run(
        self, run_id: FromPath[UUID], principal: NamedDependency[Principal], runs: NamedDependency[RunService]
    ) -> RunDetail:
        """A run with its steps and their attempts."""
        return await runs.read(principal, run_id)

    @get(
        "/{run_id:uuid}/definition",
        operation_id="getRunDefinition",
        summary="Read what a run is of",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(404),
    )
    async def get_definition(
        self, run_id: FromPath[UUID], principal: NamedDependency[Principal], runs: NamedDependency[RunService]
    ) -> RunDefinition:
        """The definition as it was run: the version's, or the draft's where that was tested. It never changes."""
        return await runs.read_definition(principal, run_id)

    @get(
        "/{run_id:uuid}/events",
        operation_id="listRunEvents",
        summary="Read a run's events",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(400, 404),
    )
    async def list_events(
        self,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        after: FromQuery[Seq] = 0,
        limit: FromQuery[EventLimit] = 200,
        cursor: FromQuery[Cursor] = None,
    ) -> Page[RunEventView]:
        """The run's journal in order. Large values are `{preview, size, ref}`; the cursor is the last seq read."""
        start = after if cursor is None else read_number(cursor)
        events = await runs.read_events(principal, run_id, after=start, limit=limit + 1)
        more = len(events) > limit
        kept = events[:limit]
        return Page(items=kept, next_cursor=str(kept[-1].seq) if more else None)

    @get(
        "/{run_id:uuid}/steps",
        operation_id="listIterations",
        summary="Read the items of a loop",
        guards=[requires(Permission.RUNS_READ)],
        responses=problems(400, 404),
    )
    async def list_iterations(
        self,
        run_id: FromPath[UUID],
        parent: FromQuery[Parent],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        status: FromQuery[ItemStatus] = None,
        limit: FromQuery[Limit] = 50,
        cursor: FromQuery[Cursor] = None,
    ) -> Page[IterationView]:
        """The items of a `foreach` in their order, each with its steps."""
        only_failed = status is not None
        return await runs.list_iterations(
            principal, run_id, parent, only_failed=only_failed, cursor=cursor, limit=limit
        )

    @get(
        "/{run_id:uuid}/payloads/{ref:str}",
        operation_id="readPayload",
        summary="Read a large value",
        media_type=MediaType.JSON,
        guards=[requires(Permission.RUNS_READ)],
        responses={
            HTTP_304_NOT_MODIFIED: ResponseSpec(data_container=None, description="The caller has it already"),
            **problems(404),
        },
    )
    async def read_payload(
        self,
        request: Request[Any, Any, Any],
        run_id: FromPath[UUID],
        ref: FromPath[Reference],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
    ) -> Stream:
        """The whole value that a `{preview, size, ref}` stands for. It never changes."""
        data = await runs.read_payload(principal, run_id, ref)
        etag = f'"{ref}"'
        # Browsers are not to keep it on their disks, where who signs in next would find it.
        headers = {"etag": etag}
        if matches(request.headers.get("if-none-match", ""), etag):
            return Stream(iter(()), status_code=HTTP_304_NOT_MODIFIED, headers=headers)
        headers["content-length"] = str(len(data))
        return Stream(_cut(data), media_type=MediaType.JSON, headers=headers)

    @post(
        "/{run_id:uuid}/cancel",
        operation_id="cancelRun",
        summary="Cancel a run",
        status_code=HTTP_202_ACCEPTED,
        guards=[requires(Permission.RUNS_CONTROL)],
        responses=problems(404, 409),
    )
    async def cancel_run(
        self,
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        data: JSONBody[NoFields] = NOTHING_SAID,
    ) -> CancelAccepted:
        """Stop the run at whatever it does; 409 for one that has ended."""
        del data
        await runs.cancel(principal, run_id)
        return CancelAccepted(run_id=run_id)

    @get(
        "/{run_id:uuid}/stream",
        operation_id="streamRun",
        summary="Watch a run",
        media_type=STREAM_TYPE,
        guards=[requires(Permission.RUNS_READ)],
        responses={
            HTTP_204_NO_CONTENT: ResponseSpec(data_container=None, description="Nothing can follow any more"),
            **problems(404),
        },
    )
    async def stream_run(
        self,
        request: Request[Any, Any, Any],
        run_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        runs: NamedDependency[RunService],
        streams: NamedDependency[LiveStreams],
    ) -> Stream:
        """The run's events as they happen, from the beginning or after `Last-Event-ID`; ends with the run.

        204 where nothing can follow any more: it keeps browsers from asking again.
        """
        after = await runs.find_resumption(principal, run_id, _read_last_seq(request.headers.get("last-event-id")))
        if after is None:
            return Stream(iter(()), status_code=HTTP_204_NO_CONTENT)
        return Stream(streams.follow_run(principal, run_id, after), media_type=STREAM_TYPE, headers=STREAM_HEADERS)


@get(
    "/stream",
    operation_id="streamWorkspace",
    summary="Watch the workspace",
    media_type=STREAM_TYPE,
    tags=["runs"],
    guards=[requires(Permission.RUNS_READ)],
)
async def stream_workspace(
    request: Request[Any, Any, Any],
    principal: NamedDependency[Principal],
    streams: NamedDependency[LiveStreams],
) -> Stream:
    """Changes of all runs from now on, or after `Last-Event-ID`; `reset` says that some were missed: read anew."""
    last_id = request.headers.get("last-event-id")
    return Stream(streams.follow_workspace(principal, last_id), media_type=STREAM_TYPE, headers=STREAM_HEADERS)


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def _read_last_seq(header: str | None) -> int:
    text = (header or "").lstrip("0")
    # Nothing has so many events, and so many digits are no number to Python.
    return min(int(text[:10]), 2_147_483_647) if text.isascii() and text.isdigit() else 0
