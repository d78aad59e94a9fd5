"""Exports workflows, and imports them: new ones, or as the next draft of those that have their name."""

import json
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.errors import AmbiguousName, InvalidRequest, MissingPermission
from app.etags import make_etag
from app.transfer.documents import ReadFile, find_place, locate
from app.transfer.schemas import ImportedTrigger, ImportedWorkflow, ImportProblem, Outcome, WorkflowFile
from app.triggers.schemas import NewTrigger, TriggerChange, TriggerView
from app.triggers.service import TriggerService
from app.workflows.schemas import NewWorkflow, WorkflowChange, WorkflowDetail
from app.workflows.service import WorkflowService
from engine.core.problems import Problem, Room

Mode = Literal["create", "update"]


class TransferService:
    """Workflows of one workspace as files, on behalf of one principal, in one transaction."""

    def __init__(self, transaction: AsyncConnection, principal: Principal, triggers: TriggerService) -> None:
        self._transaction, self._principal, self._triggers = transaction, principal, triggers
        self._workflows = WorkflowService(transaction, principal)

    async def export(self, workflow_id: UUID) -> WorkflowFile:
        """The draft with its triggers, without their secrets; raises NotFound."""
        workflow = await self._workflows.read(workflow_id)
        views = await self._triggers.list_all(self._transaction, self._principal, workflow_id)
        return WorkflowFile(
            name=workflow.name,
            description=workflow.description,
            definition=workflow.definition,
            triggers=[_export_trigger(view) for view in views],
        )

    async def take(self, files: list[ReadFile], mode: Mode) -> list[ImportedWorkflow]:
        """Import all files, or none; raises InvalidRequest, AmbiguousName or MissingPermission."""
        may_trigger = Permission.TRIGGERS_WRITE in self._principal.permissions
        if not may_trigger and any(read.file.triggers for read in files):
            permission = Permission.TRIGGERS_WRITE.value
            raise MissingPermission(f"Your role does not hold the permission {permission}.", permission=permission)
        if mode == "update":
            # In one order, whoever imports: two imports at a time must not wait for each other.
            for name in sorted({read.file.name for read in files}):
                await self._workflows.lock_named(name)
        room = Room()
        return [await self._take_one(read, mode, room) for read in files]

    async def _take_one(self, read: ReadFile, mode: Mode, room: Room) -> ImportedWorkflow:
        try:
            current = await self._find(read.file.name) if mode == "update" else None
            detail, outcome = await self._save(read.file, current)
            triggers = await self._take_triggers(detail.id, read.file.triggers)
        except InvalidRequest as error:
            raise InvalidRequest(errors=locate(error.errors, read.prefix, read.places)) from None
        return ImportedWorkflow(
            outcome=outcome,
            id=detail.id,
            name=detail.name,
            revision=detail.revision,
            published_version=detail.published_version,
            problems=_tell_problems(detail, read, room),
            triggers=triggers,
        )

    async def _find(self, name: str) -> WorkflowDetail | None:
        """The one workflow of this name; raises AmbiguousName where there are several."""
        found = await self._workflows.lock_named(name)
        if len(found) > 1:
            ids = ", ".join(map(str, found))
            raise AmbiguousName(f"{len(found)} workflows have the name {name!r}: {ids}. Rename all but one of them.")
        return await self._workflows.read(found[0]) if found else None

    async def _save(self, file: WorkflowFile, current: WorkflowDetail | None) -> tuple[WorkflowDetail, Outcome]:
        if current is None:
            new = NewWorkflow(name=file.name, description=file.description, definition=file.definition)
            return await self._workflows.create(new), "created"
        change = WorkflowChange(description=file.description)
        if not _is_same(bytes(current.definition), bytes(file.definition)):
            change = replace(change, definition=file.definition)
        detail = await self._workflows.change(current.id, change, make_etag(current.revision))
        return detail, "unchanged" if detail.revision == current.revision else "updated"

    async def _take_triggers(self, workflow_id: UUID, wanted: list[NewTrigger]) -> list[ImportedTrigger]:
        """The first of a type in the file is the first of that type that is there, and so on; none is removed."""
        there = await self._triggers.list_all(self._transaction, self._principal, workflow_id)
        taken = []
        for number, new in enumerate(wanted):
            current = next((view for view in there if view.type == new.type), None)
            if current is not None:
                there.remove(current)
            try:
                taken.append(await self._take_trigger(workflow_id, new, current))
            except InvalidRequest as error:
                faults = [replace_pointer(fault, f"/triggers/{number}") for fault in error.errors]
                raise InvalidRequest(errors=faults) from None
        return taken

    async def _take_trigger(self, workflow_id: UUID, new: NewTrigger, current: TriggerView | None) -> ImportedTrigger:
        outcome: Outcome
        # A file holds no secrets: what comes without one refuses everything until somebody has set it.
        if current is None:
            view = await self._triggers.create(
                self._transaction, self._principal, workflow_id, new, may_lack_secret=True
            )
            outcome = "created"
        elif _has_same_config(current, new):
            view, outcome = current, "unchanged"
        else:
            change = TriggerChange(config=new.config, enabled=new.enabled)
            view = await self._triggers.change(
                self._transaction, self._principal, current.id, change, may_lack_secret=True
            )
            outcome = "updated"
        return ImportedTrigger(outcome=outcome, needs_secret=view.needs_secret, trigger=view)


def replace_pointer(fault: Problem, prefix: str) -> Problem:
    """The fault as seen from one level further out."""
    return Problem(prefix + fault.pointer, fault.code, fault.message)


def _export_trigger(view: TriggerView) -> NewTrigger:
    # Only those that can be made again are in the table: its types are those of NewTrigger.
    return msgspec.convert(
        {"type": view.type, "config": msgspec.Raw(msgspec.json.encode(_strip(view.config))), "enabled": view.enabled},
        NewTrigger,
    )


def _strip(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without the empty place of its secret."""
    auth = config.get("auth")
    if not isinstance(auth, dict):
        return config
    return {**config, "auth": {name: value for name, value in auth.items() if name != "secret"}}


def _has_same_config(current: TriggerView, new: NewTrigger) -> bool:
    wanted = msgspec.json.decode(new.config)
    return current.enabled == new.enabled and _strip(current.config) == wanted


def _is_same(one: bytes, other: bytes) -> bool:
    """Whether two definitions say the same in the same order, however they are spaced."""
    # json and not msgspec: it writes integers of any length.
    return json.dumps(json.loads(one)) == json.dumps(json.loads(other))


def _tell_problems(detail: WorkflowDetail, read: ReadFile, room: Room) -> list[ImportProblem]:
    """The problems of a draft, as far as the room lasts that all files have together; then, how many more there are."""
    told = [_place_problem(problem, read) for problem in room.fit(detail.problems)]
    if left := len(detail.problems) - len(told):
        message = f"{left} more are left out of this answer: `GET /v1/workflows/{detail.id}` tells all of this draft"
        told.append(ImportProblem(pointer="", code="more_problems", message=message))
    return told


def _place_problem(problem: Problem, read: ReadFile) -> ImportProblem:
    base = "/definition" if "/definition" in read.places else ""
    place = find_place(base + problem.pointer, read.places)
    found = ImportProblem(pointer=problem.pointer, code=problem.code, message=problem.message)
    return found if place is None else replace(found, line=place[0], column=place[1])
