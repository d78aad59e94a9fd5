"""CPU time and memory of processes, from /proc."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def descendants(pid: int, stop_at: Iterable[int] = ()) -> list[int]:
    """The process and all below it, but for those in `stop_at` and what is below them."""
    found: list[int] = []
    todo = [pid]
    barred = set(stop_at) - {pid}
    while todo:
        one = todo.pop()
        if one in barred:
            continue
        found.append(one)
        with contextlib.suppress(OSError):
            for task in (_PROC / str(one) / "task").iterdir():
                todo += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of the processes, and of their children that have ended."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            # After the name, which may hold anything: utime, stime, cutime, cstime are fields 14 to 17.
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS


def machine_busy_seconds() -> float:
    """CPU time that all cores have spent on anything but waiting."""
    with (_PROC / "stat").open() as file:
        user, nice, system, _idle, _wait, interrupts, soft_interrupts = map(int, file.readline().split()[1:8])
    return (user + nice + system + interrupts + soft_interrupts) / _TICKS


def pss_mib(pids: Iterable[int]) -> float:
    """Memory in MiB, each shared page divided among those that share it. Raises PermissionError."""
    kib = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
    return kib / 1024
