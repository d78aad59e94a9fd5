"""How much of the machine's processors others use: times of recovery say little where it is much."""

import contextlib
import os
import resource
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_TICK = os.sysconf("SC_CLK_TCK")
# In the first line of /proc/stat: what passed without work.
_IDLE, _WAITING = 3, 4
# Guests are counted as their hosts' work already.
_COLUMNS = 8


class Usage(Struct, frozen=True, kw_only=True):
    """Seconds of processors since ever: all that passed, those at work, and those for this process and its children."""

    passed: float
    busy: float
    own: float


def read_usage() -> Usage:
    """What was used up to now."""
    first, _, _ = Path("/proc/stat").read_text().partition("\n")
    columns = [int(column) / _TICK for column in first.split()[1 : _COLUMNS + 1]]
    passed = sum(columns)
    return Usage(passed=passed, busy=passed - columns[_IDLE] - columns[_WAITING], own=_count_own())


def count_others(before: Usage, after: Usage) -> float:
    """The share of the machine's processors that others had between two looks, from 0 to 1."""
    passed = after.passed - before.passed
    others = (after.busy - before.busy) - (after.own - before.own)
    return min(max(others / passed, 0.0), 1.0) if passed > 0 else 0.0


def _count_own() -> float:
    ended = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in ended) + sum(_count_living(os.getpid()))


def _count_living(root: int) -> Iterator[float]:
    """The seconds of each process below this one, with those of its children that have ended."""
    children: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # After the name, which may hold anything: state, parent, …, and from the twelfth on four times.
            columns = (process / "stat").read_text().rpartition(")")[2].split()
            seconds = sum(int(column) for column in columns[11:15]) / _TICK
            children[int(columns[1])].append((int(process.name), seconds))
    to_visit = [root]
    while to_visit:
        for pid, seconds in children[to_visit.pop()]:
            to_visit.append(pid)
            yield seconds
