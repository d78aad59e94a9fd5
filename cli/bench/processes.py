"""CPU time and memory of processes, from /proc."""

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

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


class Usage(Struct, frozen=True):
    """What processes that live have used, exactly: CPU time, the kernel's part of it to a tick, and their wake-ups."""

    cpu_seconds: float = 0.0
    kernel_seconds: float = 0.0
    wakes: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.cpu_seconds + other.cpu_seconds, self.kernel_seconds + other.kernel_seconds, self.wakes + other.wakes
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return self + other.times(-1)

    def times(self, factor: float) -> "Usage":
        """The same so many times, to compare spans of different lengths."""
        return Usage(self.cpu_seconds * factor, self.kernel_seconds * factor, round(self.wakes * factor))


def read_usage(pid: int) -> Usage:
    """What a process has used so far, with all its threads; nothing where it has ended."""
    usage = Usage()
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            ran_ns = int((task / "schedstat").read_text().split()[0])
            kernel_ticks = int((task / "stat").read_text().rpartition(")")[2].split()[12])
            # It gave the processor up by itself, and was woken later.
            wakes = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.MULTILINE)
            usage += Usage(ran_ns / 1e9, kernel_ticks / _TICKS, int(wakes[1]) if wakes else 0)
    return usage


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
