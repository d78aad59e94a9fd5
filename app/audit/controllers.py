"""`/v1/audit`."""

from typing import Annotated, Final
from uuid import UUID

from litestar import Controller, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from app.audit.entries import Outcome
from app.audit.repository import EntryFilter
from app.audit.schemas import AuditEntry, ExportedEntry, Verification
from app.audit.service import AuditService
from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.errors import InvalidRequest
from app.moments import Moment, read_moment
from app.openapi import problems
from app.pagination import DEFAULT_LIMIT, Cursor, Limit, Page
from engine.core.problems import Problem

NDJSON: Final = "application/x-ndjson"

ActionName = Annotated[
    str | None,
    QueryParameter(
        max_length=64,
        pattern=r"^[a-z_]+(\.[a-z_]+)?$",
        description="an action like `api_key.created`, or a kind like `api_key`",
    ),
]
TargetId = Annotated[
    str | None, QueryParameter(max_length=200, pattern=r"^[^\x00]*$", description="the id of what it was done to")
]
Search = Annotated[
    str | None, QueryParameter(max_length=200, pattern=r"^[^\x00]*$", description="part of an entry, in any case")
]
KeptSeq = Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1, description="an entry that was kept, with `hash`")]
KeptHash = Annotated[str | None, QueryParameter(pattern=r"^[0-9a-fA-F]{64}$", description="its hash")]


def _provide_audit(state: State, principal: NamedDependency[Principal]) -> AuditService:
    return AuditService(state.isolation, principal)


def _provide_filter(
    action: FromQuery[ActionName] = None,
    outcome: FromQuery[Outcome | None] = None,
    user_id: FromQuery[UUID | None] = None,
    target_id: FromQuery[TargetId] = None,
    since: FromQuery[Moment] = None,
    until: FromQuery[Moment] = None,
    q: FromQuery[Search] = None,
) -> EntryFilter:
    return EntryFilter(
        action=action,
        outcome=outcome,
        user_id=user_id,
        target_id=target_id,
        since=None if since is None else read_moment(since, "since"),
        until=None if until is None else read_moment(until, "until"),
        q=q or None,
    )


class AuditController(Controller):
    """Who did what, from where, when."""

    path = "/audit"
    tags = ("audit",)
    dependencies = {  # noqa: RUF012 - Litestar reads the attribute of this class and changes nothing in it
        "audit": Provide(_provide_audit, sync_to_thread=False),
        "chosen": Provide(_provide_filter, sync_to_thread=False),
    }

    @get(
        operation_id="listAuditEntries",
        summary="Read the audit log",
        guards=[requires(Permission.AUDIT_READ)],
        responses=problems(400),
    )
    async def list_entries(
        self,
        audit: NamedDependency[AuditService],
        chosen: NamedDependency[EntryFilter],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[AuditEntry]:
        """The entries that fit in everything that is asked for, the newest first."""
        return await audit.list_all(chosen, limit=limit, cursor=cursor)

    @get(
        "/export",
        operation_id="exportAuditEntries",
        summary="Export the audit log",
        media_type=NDJSON,
        guards=[requires(Permission.AUDIT_READ)],
        responses={
            200: ResponseSpec(
                ExportedEntry,
                media_type=NDJSON,
                generate_examples=False,
                description="One entry a line, the oldest first",
            ),
            **problems(400),
        },
    )
    async def export_entries(
        self, audit: NamedDependency[AuditService], chosen: NamedDependency[EntryFilter]
    ) -> Stream:
        """Whole, or what fits; the guide tells how the hashes of a whole one are computed by others."""
        headers = {"content-disposition": 'attachment; filename="audit.ndjson"'}
        return Stream(await audit.export(chosen), media_type=NDJSON, headers=headers)

    @get(
        "/verify",
        operation_id="verifyAudit",
        summary="Is the audit log as it was entered?",
        guards=[requires(Permission.AUDIT_READ)],
        responses=problems(400),
    )
    async def verify(
        self,
        audit: NamedDependency[AuditService],
        seq: FromQuery[KeptSeq] = None,
        hash: FromQuery[KeptHash] = None,  # noqa: A002 - the name in the answer and the query
    ) -> Verification:
        """Compute the chain of hashes anew; with `seq` and `hash` of an earlier answer, tell whether it still holds."""
        if (seq is None) is not (hash is None):
            raise InvalidRequest(errors=[Problem("/query/seq", "required", "seq and hash go together")])
        return await audit.verify(seq, hash)
