"""What definitions name of their workspace: other workflows and connections, which must be there."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from app.dependencies import driver_connection
from app.workflows import repository
from engine.core.problems import Problem
from engine.steps.templates import is_template
from engine.store.connections import find_connection_names


class References(Struct, frozen=True, kw_only=True):
    """What a definition names, by the pointers of the places; what an expression gives there is not among it."""

    workflows: dict[str, UUID]
    connections: dict[str, str]

    def __bool__(self) -> bool:
        """Whether it names anything."""
        return bool(self.workflows or self.connections)


def list_references(document: object) -> References:
    """What a definition of any shape names of its workspace."""
    workflows: dict[str, UUID] = {}
    connections: dict[str, str] = {}
    for pointer, kind, text in _walk(document, ""):
        if kind == "connection":
            connections[pointer] = text
            continue
        try:
            workflows[pointer] = UUID(text)
        except ValueError:
            # Validation tells of it, unless it is a template.
            continue
    return References(workflows=workflows, connections=connections)


async def find_dangling(connection: AsyncConnection, workspace_id: UUID, references: References) -> list[Problem]:
    """A problem for each reference to what the workspace does not have."""
    problems = []
    if references.workflows:
        there = await repository.find_existing(connection, workspace_id, set(references.workflows.values()))
        problems += [
            Problem(
                pointer,
                "unknown_workflow",
                f"there is no workflow {workflow_id} in this workspace; `GET /v1/workflows` lists those that there are",
            )
            for pointer, workflow_id in references.workflows.items()
            if workflow_id not in there
        ]
    if references.connections:
        names = set(references.connections.values())
        known = await find_connection_names(await driver_connection(connection), workspace_id, names)
        problems += [
            Problem(
                pointer,
                "unknown_connection",
                f"there is no connection '{name}' in this workspace; `GET /v1/connections` lists those that there are",
            )
            for pointer, name in references.connections.items()
            if name not in known
        ]
    return problems


def _walk(holder: Any, pointer: str) -> Iterator[tuple[str, str, str]]:
    """The texts that name something: where, what, and the text. No deeper than the JSON reader lets anything be."""
    steps = holder.get("steps") if isinstance(holder, Mapping) else None
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        place = f"{pointer}/steps/{index}"
        config = step.get("with") if isinstance(step, Mapping) else None
        if isinstance(config, Mapping):
            workflow_id, name = config.get("workflow_id"), config.get("connection")
            if step.get("type") == "workflow" and isinstance(workflow_id, str):
                yield f"{place}/with/workflow_id", "workflow", workflow_id
            if step.get("type") == "http" and isinstance(name, str) and name and not is_template(name):
                yield f"{place}/with/connection", "connection", name
        yield from _walk(step, place)
