"""Bodies of the variable calls."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from litestar.params import PathParameter
from msgspec import Meta, Struct

from app.workflows.uses import WorkflowUse

# As an expression can name it: `vars.NAME`.
NAME_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$(?!\n)"

VariableName = Annotated[str, PathParameter(pattern=NAME_PATTERN, description="the variable's name, as in `vars.NAME`")]


class VariableValue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value that a variable gets: any JSON."""

    value: Annotated[Any, Meta(description="any JSON, of at most 64 KiB")]


class VariableView(Struct, frozen=True, kw_only=True):
    """A variable. Its value is no secret: everybody in the workspace reads it."""

    name: str
    value: Any
    updated_by: UUID
    created_at: datetime
    updated_at: datetime


class VariableDetail(VariableView, frozen=True, kw_only=True):
    """A variable with the workflows whose expressions read it by its name; a name that is computed is none."""

    used_by: list[WorkflowUse]


class VariableList(Struct, frozen=True, kw_only=True):
    """All variables of the workspace, by name."""

    items: list[VariableView]
    next_cursor: str | None = None
