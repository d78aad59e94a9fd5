"""What definitions name of their workspace: other workflows, which must be there."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.workflows import repository
from engine.core.problems import Problem


def list_references(document: object) -> dict[str, UUID]:
    """The workflows that a definition of any shape runs, by the pointers of their ids; those of expressions are not."""
    found: dict[str, UUID] = {}
    for pointer, text in _walk(document, ""):
        try:
            found[pointer] = UUID(text)
        except ValueError:
            # Validation tells of it, unless it is a template.
            continue
    return found


async def find_dangling(
    connection: AsyncConnection, workspace_id: UUID, references: Mapping[str, UUID]
) -> list[Problem]:
    """A problem for each reference to a workflow that the workspace does not have."""
    if not references:
        return []
    there = await repository.find_existing(connection, workspace_id, set(references.values()))
    return [
        Problem(
            pointer,
            "unknown_workflow",
            f"there is no workflow {workflow_id} in this workspace; `GET /v1/workflows` lists those that there are",
        )
        for pointer, workflow_id in references.items()
        if workflow_id not in there
    ]


def _walk(holder: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """The texts that stand as `workflow_id`. No deeper than the JSON reader lets anything be nested."""
    steps = holder.get("steps") if isinstance(holder, Mapping) else None
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        place = f"{pointer}/steps/{index}"
        config = step.get("with") if isinstance(step, Mapping) and step.get("type") == "workflow" else None
        if isinstance(config, Mapping) and isinstance(config.get("workflow_id"), str):
            yield f"{place}/with/workflow_id", config["workflow_id"]
        yield from _walk(step, place)
