"""A run on the screen: lines that are drawn anew on a terminal, a line an event elsewhere."""

import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

import click
from msgspec import Struct

from cli.client.telling import COLOURS, SYMBOLS, read_time, say_duration, say_run, say_step, status_of

_LONGEST_NAME = 40
# A large fan-out brings thousands of events at once.
_FRAME_SECONDS = 0.05
_INDEX = re.compile(r"\[\d+\]")


class _Line(Struct):
    """One step of the top level; `inner` counts the ended steps within it."""

    name: str
    status: str = "pending"
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    total: int | None = None
    ended: int = 0
    failed: int = 0


class Board:
    """Shows one run. On a terminal, what has been drawn is drawn over."""

    def __init__(self, steps: Iterable[dict[str, Any]], output: TextIO | None = None) -> None:
        """`steps` are those of the run as the API shows it; `output` is stderr if left out."""
        self._output = output or sys.stderr
        self._is_live = self._output.isatty()
        self._lines = {step["path"]: _begin(step) for step in steps}
        self._width = min(_LONGEST_NAME, max((len(path) for path in self._lines), default=0))
        self._run = "queued"
        self._drawn, self._drawn_at = 0, 0.0

    def show(self, event: dict[str, Any] | None) -> None:
        """Take an event in; None only moves the clocks on."""
        if event is not None:
            self._take(event)
        if self._is_live and time.monotonic() - self._drawn_at > _FRAME_SECONDS:
            self._draw()

    def close(self) -> None:
        """Draw what came last, and leave it there."""
        if self._is_live:
            self._draw()
        self._drawn = 0

    def _take(self, event: dict[str, Any]) -> None:
        data = event.get("data") or event
        path = data.get("step")
        if path is None:
            if event["type"] != "run.signalled":
                self._run = status_of(event)
            self._forget(event)
            self._print("run", say_run(event), event)
            return
        line = self._lines.get(path)
        if line is None:
            self._count(path, event)
        else:
            self._tell(line, event, data)
        # A hint of an attempt's start has no seq: only its end is worth a line.
        if event.get("seq"):
            self._print(path, say_step(event), event)

    def _tell(self, line: _Line, event: dict[str, Any], data: dict[str, Any]) -> None:
        line.status, line.text = status_of(event), say_step(event)
        if data.get("items") is not None:
            line.total, line.ended, line.failed = data["items"], 0, 0
        at = read_time(event["at"])
        line.since = line.since or read_time(data.get("started_at")) or at
        line.until = at if line.status in ("succeeded", "failed", "cancelled", "skipped") else None

    def _count(self, path: str, event: dict[str, Any]) -> None:
        """A step within a `foreach` ended: its outermost loop shows how many did."""
        outer = self._lines.get(_INDEX.split(path, maxsplit=1)[0])
        if outer is not None and event["type"] in ("step.succeeded", "step.failed"):
            outer.ended += 1
            outer.failed += event["type"] == "step.failed"

    def _forget(self, event: dict[str, Any]) -> None:
        if event["type"] == "run.retried":
            for line in self._lines.values():
                if line.status != "succeeded":
                    line.status, line.text, line.since, line.until = "pending", "", None, None

    def _print(self, name: str, text: str, event: dict[str, Any]) -> None:
        if self._is_live:
            return
        at = read_time(event["at"])
        clock = at.astimezone().strftime("%H:%M:%S") if at else ""
        click.echo(f"{clock} {name.ljust(self._width)}  {text}", file=self._output)

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        rows = list(self._rows(datetime.now(UTC), max(3, size.lines - 2)))
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        text = "".join(f"\x1b[2K{_cut(row, size.columns - 1)}\n" for row in rows)
        # What was longer before is wiped out below.
        self._output.write(f"{up}{text}\x1b[0J")
        self._output.flush()
        self._drawn, self._drawn_at = len(rows), time.monotonic()

    def _rows(self, now: datetime, room: int) -> Iterator[str]:
        shown = list(self._lines.values())
        if len(shown) > room - 1:
            # What goes on or went wrong is worth the room.
            shown.sort(key=lambda line: line.status in ("pending", "skipped", "succeeded"))
            hidden = len(shown) - (room - 2)
            shown = shown[: room - 2]
        else:
            hidden = 0
        for line in shown:
            colour = COLOURS.get(line.status, "white")
            spent = ""
            if line.since and line.status not in ("pending", "skipped"):
                spent = say_duration(((line.until or now) - line.since).total_seconds())
            inner = "" if line.total is None else f" {line.ended} steps of {line.total} items ended"
            inner += f", {line.failed} failed" if line.failed else ""
            symbol = click.style(SYMBOLS.get(line.status, " "), fg=colour)
            yield f"{symbol} {line.name[:_LONGEST_NAME].ljust(self._width)}  {line.text or line.status}{inner}  {spent}"
        if hidden:
            yield f"  and {hidden} more"
        yield click.style(f"run {self._run}", fg=COLOURS.get(self._run, "white"), bold=True)


def _begin(step: dict[str, Any]) -> _Line:
    """The line of a step as it stood when the watching began."""
    items = step.get("items") or {}
    return _Line(
        name=step["id"],
        status=step["status"],
        since=read_time(step["started_at"]),
        until=read_time(step["finished_at"]),
        total=items.get("total"),
    )


def _cut(text: str, width: int) -> str:
    """At most `width` visible characters; what only sets colours takes no room."""
    kept, room = [], width
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        if part.startswith("\x1b"):
            kept.append(part)
        else:
            kept.append(part[: max(0, room)])
            room -= len(part)
    return "".join(kept)
