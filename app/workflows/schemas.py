"""Bodies of the workflow calls. Definitions pass through as the bytes that came."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from app.auth.schemas import Name
from engine.core.problems import Problem
from engine.core.statuses import RunStatus

Description = Annotated[str, Meta(max_length=4000, pattern=r"^[^\x00]*$")]
Definition = Annotated[msgspec.Raw, Meta(description="the definition", extra_json_schema={"type": "object"})]
Timestamp = Annotated[datetime, Meta(tz=True)]
Revision = Annotated[int, Meta(description="counts the changes of the draft; the ETag stands for it")]


class NewWorkflow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow to make. Its definition may still have faults: they come back as `problems`.

    Where it is not `enabled`, its triggers start nothing; it can still be started by hand.
    """

    name: Name
    definition: Definition
    description: Description = ""
    enabled: bool = True


class WorkflowChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a workflow; what is left out stays."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    definition: Definition | UnsetType = UNSET


class RecentRun(Struct, frozen=True, kw_only=True):
    """One of the last runs of a workflow, as its mark in the list shows it."""

    id: UUID
    status: RunStatus
    created_at: Timestamp


class WorkflowSummary(Struct, frozen=True, kw_only=True):
    """A workflow in a list. `published_version` is null before the first publishing.

    `recent_runs` are the last 20, the newest first, without tests of drafts. `trigger_types` are the kinds of its
    enabled triggers, and `next_fire_at` is when the first of its schedules is due; null where none is, or where it
    would start nothing.
    """

    id: UUID
    name: str
    description: str
    enabled: bool
    published_version: int | None
    revision: Revision
    created_by: UUID
    updated_by: UUID
    created_at: Timestamp
    updated_at: Timestamp
    recent_runs: list[RecentRun]
    trigger_types: list[str]
    next_fire_at: Timestamp | None


class WorkflowDetail(Struct, frozen=True, kw_only=True):
    """A workflow with its draft and what is wrong with it."""

    id: UUID
    name: str
    description: str
    enabled: bool
    published_version: int | None
    revision: Revision
    created_by: UUID
    updated_by: UUID
    created_at: Timestamp
    updated_at: Timestamp
    definition: Definition
    problems: list[Problem]


class Validation(Struct, frozen=True, kw_only=True):
    """Whether a definition can be published, and every fault that is in the way."""

    valid: bool
    errors: list[Problem]


class VersionSummary(Struct, frozen=True, kw_only=True):
    """An immutable published version in a list."""

    id: UUID
    workflow_id: UUID
    version: int
    published_by: UUID
    created_at: Timestamp


class VersionDetail(Struct, frozen=True, kw_only=True):
    """An immutable published version with its definition."""

    id: UUID
    workflow_id: UUID
    version: int
    published_by: UUID
    created_at: Timestamp
    definition: Definition
