"""Which workflows name a connection or a variable: those that would fail without it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from app.workflows import repository
from app.workflows.references import list_references
from engine.core.expressions import ExpressionError, compile_expression, compile_template

_CONNECTION: Final = '"connection"'
_VARIABLES: Final = "vars"
# What is an expression as it stands, by the type of its step.
_BARE: Final = {"if": "condition", "foreach": "items", "switch": "cases"}


class WorkflowUse(Struct, frozen=True, kw_only=True):
    """A workflow that names a thing in its draft, in its published version, or in both."""

    workflow_id: UUID
    workflow_name: str
    in_draft: bool
    in_published: bool


async def find_uses(connection: AsyncConnection, workspace_id: UUID, name: str) -> list[WorkflowUse]:
    """The workflows that name the connection, the oldest first."""
    return await _find(connection, workspace_id, _CONNECTION, name, partial(_names_connection, name=name))


async def count_uses(connection: AsyncConnection, workspace_id: UUID) -> Mapping[str, int]:
    """How many workflows name each connection, in one query for all of them; 0 for names that none has."""
    rows = await repository.list_possible_uses(connection, workspace_id, _CONNECTION, "")
    # Definitions may be many and large: what else this process answers must not wait for all of them.
    return await asyncio.to_thread(_count, [(row.draft, row.published) for row in rows])


async def find_variable_uses(connection: AsyncConnection, workspace_id: UUID, name: str) -> list[WorkflowUse]:
    """The workflows whose expressions read the variable by its name, the oldest first."""
    return await _find(connection, workspace_id, _VARIABLES, name, partial(_reads_variable, name=name))


async def _find(
    connection: AsyncConnection, workspace_id: UUID, word: str, name: str, is_named: Callable[[Any], bool]
) -> list[WorkflowUse]:
    rows = await repository.list_possible_uses(connection, workspace_id, word, name)
    uses = [
        WorkflowUse(
            workflow_id=row.id,
            workflow_name=row.name,
            in_draft=row.draft is not None and is_named(msgspec.json.decode(row.draft)),
            in_published=row.published is not None and is_named(msgspec.json.decode(row.published)),
        )
        for row in rows
    ]
    return [use for use in uses if use.in_draft or use.in_published]


def _count(definitions: Sequence[tuple[bytes | None, bytes | None]]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for sides in definitions:
        documents = [msgspec.json.decode(side) for side in sides if side is not None]
        counted.update({name for document in documents for name in list_references(document).connections.values()})
    return counted


def _names_connection(document: Any, name: str) -> bool:
    return name in list_references(document).connections.values()


def _reads_variable(document: Any, name: str) -> bool:
    """Whether any expression of a definition of any shape does. Those that cannot be read are none."""
    if not isinstance(document, Mapping):
        return False
    texts = [*_walk_steps(document), *_walk(document.get("output")), *_walk(document.get("settings"))]
    # Few of them are compiled: it takes its time, and the first that reads the variable answers.
    return any(_is_read(text, name, is_bare=is_bare) for text, is_bare in texts if _VARIABLES in text and name in text)


def _is_read(text: str, name: str, *, is_bare: bool) -> bool:
    try:
        references = (compile_expression(text) if is_bare else compile_template(text)).references
    except ExpressionError:
        return False
    return any(path[:2] == (_VARIABLES, name) for path in references)


def _walk_steps(holder: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The texts of all steps, each with whether it is an expression as it stands."""
    steps = holder.get("steps")
    for step in steps if isinstance(steps, list) else ():
        if not isinstance(step, Mapping):
            continue
        config = step.get("with")
        bare = _BARE.get(str(step.get("type")))
        for key, value in config.items() if isinstance(config, Mapping) else ():
            yield from _walk(value, is_bare=key == bare)
        yield from _walk_steps(step)


def _walk(value: Any, *, is_bare: bool = False) -> Iterator[tuple[str, bool]]:
    """The texts in a value. No deeper than the JSON reader lets anything be."""
    match value:
        case str():
            yield value, is_bare
        case Mapping():
            for item in value.values():
                yield from _walk(item, is_bare=is_bare)
        case list():
            for item in value:
                yield from _walk(item, is_bare=is_bare)
