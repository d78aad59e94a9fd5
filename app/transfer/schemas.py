"""What a workflow file holds, and what an import answers."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from app.auth.schemas import Name
from app.triggers.schemas import NewTrigger, TriggerView
from app.workflows.schemas import Definition, Description

FORMAT: Final = 1
MAX_TRIGGERS: Final = 100

Outcome = Literal["created", "updated", "unchanged"]


class WorkflowFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow as a file. It holds no secrets; `flowforge` is the version of this format."""

    flowforge: Literal[1] = FORMAT
    name: Name
    description: Description = ""
    definition: Definition
    triggers: Annotated[list[NewTrigger], Meta(max_length=MAX_TRIGGERS)] = []


class ImportProblem(Struct, frozen=True, kw_only=True):
    """A fault of an imported definition; `pointer` leads into the definition, `line` and `column` into the YAML."""

    pointer: str
    code: str
    message: str
    line: int | UnsetType = UNSET
    column: int | UnsetType = UNSET


class ImportedTrigger(Struct, frozen=True, kw_only=True):
    """A trigger of the file. `needs_secret`: it refuses everything until it is given a secret, which no file holds."""

    outcome: Outcome
    needs_secret: bool
    trigger: TriggerView


class ImportedWorkflow(Struct, frozen=True, kw_only=True):
    """What became of one workflow of the file. Its draft can be published where there are no problems."""

    outcome: Outcome
    id: UUID
    name: str
    revision: int
    published_version: int | None
    problems: list[ImportProblem]
    triggers: list[ImportedTrigger]


class ImportResult(Struct, frozen=True, kw_only=True):
    """The workflows of the file, in its order."""

    items: list[ImportedWorkflow]


_FILE: Final[dict[str, Any]] = {"$ref": "#/components/schemas/WorkflowFile"}
_DEFINITION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["steps"],
    "description": "a definition alone; the query's `name` names it",
}
# What OpenAPI says of the body, which is no JSON alone.
IMPORT_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"anyOf": [_FILE, _DEFINITION, {"type": "array", "items": _FILE, "minItems": 1}]}
        },
        "application/yaml": {"schema": {"type": "string", "description": "one document or several, each as in JSON"}},
    },
}
