"""`docs/lifecycle.md`, made from the tables in `engine/core`: it cannot say anything else than the code does."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from engine.core.events import RunEvent
from engine.core.statuses import TERMINAL_RUN, TERMINAL_STEP, RunStatus, StepStatus
from engine.core.transitions import REASONS, RUN_MOVES, STEP_MOVES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "lifecycle.md"
STATUSES = ROOT / "engine" / "core" / "statuses.py"

Status = TypeVar("Status", bound=StrEnum)

_COMMENT = re.compile(r'^    (?P<name>[A-Z_]+) = "[a-z_]+"  # (?P<text>.+)$', re.MULTILINE)
_HEAD = """\
# Lifecycle

This page is generated: `./flowforge docs` writes it from `engine/core/transitions.py`, `engine/core/statuses.py` and
`engine/core/events.py`, and a test fails when it is stale. Do not edit it.

A move happens when its run event is applied: by the driver that decides it, and again by everybody who replays the
journal. An event that is not listed for a status raises `InvalidTransition`. Observations that come too late or twice
never get that far: `advance` answers them with `Ignore`, and nothing changes.
"""


def make_lifecycle() -> str:
    """The page as Markdown; raises KeyError where a status has no sentence beside it."""
    sentences = _read_sentences()
    parts = [_HEAD]
    parts.extend(_section("run", RunStatus, TERMINAL_RUN, RUN_MOVES, sentences))
    parts.extend(_section("step", StepStatus, TERMINAL_STEP, STEP_MOVES, sentences))
    parts.append("\n## Events and reason codes\n\nEvery event carries a reason code.\n")
    parts.append("\n| event | what it says | reason | meaning |\n| --- | --- | --- | --- |\n")
    parts.extend(_reason_rows())
    return "".join(parts)


def _section(
    noun: str,
    statuses: type[Status],
    terminal: frozenset[Status],
    moves: Mapping[tuple[Status, str], Status],
    sentences: Mapping[tuple[str, str], str],
) -> Iterator[str]:
    yield f"\n## {noun.capitalize()}s\n"
    yield from _diagram(statuses, terminal, moves)
    yield f"\n| status | how a {noun} gets in, and out |\n| --- | --- |\n"
    for status in statuses:
        end = ", terminal" if status in terminal else ""
        yield f"| `{status}`{end} | {sentences[statuses.__name__, status.name]} |\n"
    yield "\n| from | event | to |\n| --- | --- | --- |\n"
    for (source, event), target in moves.items():
        yield f"| `{source}` | `{event}` | `{target}` |\n"


def _read_sentences() -> dict[tuple[str, str], str]:
    """The comment beside each status, by enum and member: comments are no part of the program, so they are read."""
    found: dict[tuple[str, str], str] = {}
    for block in re.split(r"^class ", STATUSES.read_text(), flags=re.MULTILINE)[1:]:
        enum = block.partition("(")[0]
        found |= {(enum, match["name"]): match["text"] for match in _COMMENT.finditer(block)}
    return found


def _diagram(
    statuses: type[Status], terminal: frozenset[Status], moves: Mapping[tuple[Status, str], Status]
) -> Iterator[str]:
    """A state diagram: the first status is where everything begins, parallel moves share an arrow."""
    yield "\n```mermaid\nstateDiagram-v2\n"
    yield f"    [*] --> {next(iter(statuses))}\n"
    arrows: dict[tuple[Status, Status], list[str]] = {}
    for (source, event), target in moves.items():
        arrows.setdefault((source, target), []).append(event.partition(".")[2])
    for (source, target), events in arrows.items():
        yield f"    {source} --> {target}: {', '.join(events)}\n"
    for status in statuses:
        if status in terminal:
            yield f"    {status} --> [*]\n"
    yield "```\n"


def _reason_rows() -> Iterator[str]:
    says = {
        str(kind.__struct_config__.tag): " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
        for kind in RunEvent.__args__
    }
    for event, reasons in REASONS.items():
        for number, (code, meaning) in enumerate(reasons.items()):
            first = f"`{event}` | {says[event]}" if number == 0 else " | "
            yield f"| {first} | `{code}` | {meaning} |\n"
