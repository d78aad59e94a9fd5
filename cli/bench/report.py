"""The outcome of a run of benches: as a table for people, and as a document for programs."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from cli.bench.figures import Figure


class Outcome(Struct, kw_only=True):
    """One bench. Loads are the machine's average over a minute; `others_percent` is of one core."""

    name: str
    seconds: float
    load_before: float
    load_after: float
    others_percent: float
    figures: list[Figure]
    error: str | None = None


class Machine(Struct, kw_only=True):
    """Where it was measured, and with what."""

    cpus: int
    cpu_model: str
    memory_gib: float
    kernel: str
    versions: dict[str, str]


class Report(Struct, kw_only=True):
    """One run of `bench`."""

    at: datetime
    is_quick: bool
    machine: Machine
    benches: list[Outcome]


def describe_machine(postgres: str, redis: str) -> Machine:
    """The machine, with the versions of the servers and of what the figures depend on."""
    libraries = ("aiohttp", "asyncpg", "arq", "litestar", "uvloop")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        cpu_model=_cpu_model(),
        memory_gib=round(memory / 2**30, 1),
        kernel=platform.release(),
        versions={
            "python": platform.python_version(),
            "postgresql": postgres,
            "redis or valkey": redis,
            **{library: version(library) for library in libraries},
        },
    )


def now() -> datetime:
    """The moment of a report."""
    return datetime.now(UTC)


def write_table(report: Report) -> str:
    """The report as text."""
    machine = report.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    lines = [
        f"{machine.cpus} cores ({machine.cpu_model}), {machine.memory_gib:g} GiB, Linux {machine.kernel}",
        versions,
        f"{report.at:%Y-%m-%d %H:%M} UTC{', quick: rougher figures' if report.is_quick else ''}",
    ]
    width = max((len(figure.name) for outcome in report.benches for figure in outcome.figures), default=0)
    for outcome in report.benches:
        lines += ["", _write_head(outcome)]
        lines += [_write_figure(figure, width) for figure in outcome.figures]
    return "\n".join(lines)


def _write_head(outcome: Outcome) -> str:
    failure = f" FAILED: {outcome.error}" if outcome.error else ""
    return (
        f"{outcome.name}{failure}  [{outcome.seconds:.0f} s; load {outcome.load_before:.2f} before, "
        f"{outcome.load_after:.2f} after; others used {outcome.others_percent:.0f} % of a core]"
    )


def _write_figure(figure: Figure, width: int) -> str:
    line = f"  {figure.name:<{width}} {_write(figure.value):>9} {figure.unit:<11}"
    if figure.bare is not None and figure.ratio is not None:
        line += f"  bare {_write(figure.bare):>7}, ratio {figure.ratio:.2f}"
    if figure.is_met is not None:
        bound = f"<= {_write(figure.at_most)}" if figure.at_most is not None else f">= {_write(figure.at_least or 0)}"
        subject = "ratio " if figure.is_goal_of_ratio else ""
        line += f"  goal {subject}{bound}: {'met' if figure.is_met else 'MISSED'}"
    return line.rstrip()


def _write(value: float) -> str:
    if value >= 1000:  # noqa: PLR2004 - thousands are told apart by commas
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"  # noqa: PLR2004 - three digits do


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
