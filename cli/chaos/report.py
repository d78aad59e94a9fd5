"""The outcome of a chaos run: as text for people, and as a document for programs."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from cli.bench.report import Machine
from cli.chaos.checks import Verdict
from cli.chaos.facts import Facts
from cli.chaos.faults import Fault, Kill, Measure, Shot

_MEASURES = {
    "hand_over": "until its runs go on elsewhere",
    "first_commit": "until the next commit",
    "late_start": "longest wait for a start",
    "late_answer": "longest wait for an answer",
    "come_back": "until it works with PostgreSQL again",
}
# Who has to live for it: where one of them is killed meanwhile, recovery counts from that kill.
_RELIES_ON: dict[Measure, tuple[str, ...]] = {
    "hand_over": ("worker",),
    "first_commit": ("worker",),
    "late_start": ("relay", "worker"),
    "late_answer": ("api",),
    "come_back": ("api", "relay", "worker"),
}


class Recovery(Struct, kw_only=True):
    """What a kind of fault cost, in seconds of its measure, over all times that it was done."""

    name: str
    number: str
    text: str
    measure: str
    goal: float
    fired: int
    p50: float | None = None
    p95: float | None = None
    max: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the 95th percentile is within the goal."""
        return self.p95 is None or self.p95 <= self.goal


class Report(Struct, kw_only=True):
    """One chaos run. `failures` says why it did not pass, beyond broken invariants."""

    at: datetime
    seed: int
    seconds: float
    machine: Machine
    recoveries: list[Recovery]
    obstacles: dict[str, str]
    queue: dict[str, int]
    answers: dict[str, int]
    # Of reads by their status, `none` where there was no answer.
    reads: dict[str, int]
    unknown_outcomes: int
    accepted_within_ms: dict[str, float]
    transitions: int
    effects: int
    retried_effects: int
    repeated_effects: int
    kills: int
    # The share of the machine that others had meanwhile, and whether a missed goal fails the run.
    others_share: float
    do_goals_count: bool
    fenced_workers: int
    fenced_writes: int
    rest_seconds: float
    memory_mib: dict[str, float]
    connections: int
    logged: dict[str, int]
    verdicts: list[Verdict]
    failures: list[str]

    @property
    def has_passed(self) -> bool:
        """Whether every invariant holds, and enough was done to say so."""
        return not self.failures and not any(verdict.count for verdict in self.verdicts)


def measure(fault: Fault, shots: Sequence[Shot], facts: Facts, kills: Sequence[Kill] = ()) -> Recovery:
    """What this kind of fault cost."""
    own = [shot for shot in shots if shot.fault == fault.name]
    deaths = [kill.at for kill in kills if kill.role in _RELIES_ON[fault.measure]]
    samples = sorted(seconds for shot in own if (seconds := _sample(fault, shot, facts, deaths)) is not None)
    found = Recovery(
        name=fault.name,
        number=fault.number,
        text=fault.text,
        measure=fault.measure,
        goal=fault.goal,
        fired=len(own),
    )
    if samples:
        found.p50, found.p95, found.max = quantile(samples, 0.5), quantile(samples, 0.95), samples[-1]
    return found


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by at least this share of an ordered sequence."""
    return ordered[max(math.ceil(len(ordered) * share) - 1, 0)]


def count_effects(facts: Facts) -> tuple[int, int]:
    """Further attempts at an effect, and attempts that were made more than once: after a crash, under one number."""
    attempts = Counter((effect.key, effect.attempt) for effect in facts.effects)
    retried = len(attempts) - len({effect.key for effect in facts.effects})
    return retried, sum(attempts.values()) - len(attempts)


def write_text(report: Report) -> str:
    """The report as text."""
    machine = f"{report.machine.cpus} cores, {report.machine.memory_gib:g} GiB"
    lines = [
        f"seed {report.seed}, {report.seconds:.0f} s of faults, {report.at:%Y-%m-%d %H:%M} UTC, {machine}",
        "",
        f"{'fault':<27} {'fired':>5} {'p50':>7} {'p95':>7} {'max':>7}  goal (s)",
    ]
    lines += [_write_recovery(recovery) for recovery in report.recoveries]
    lines += [f"{name:<27} not done: {why}" for name, why in report.obstacles.items()]
    queue = ", ".join(f"{name} {count}" for name, count in report.queue.items())
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(report.answers.items()))
    reads = ", ".join(f"{status}: {count}" for status, count in sorted(report.reads.items()))
    accepted = ", ".join(f"{name} {value:.0f}" for name, value in report.accepted_within_ms.items())
    logged = ", ".join(f"{name} {count}" for name, count in sorted(report.logged.items()))
    lines += [
        "",
        f"starts:    {queue}",
        f"answers:   {answers}; outcome unknown {report.unknown_outcomes}; accepted within ms: {accepted}",
        f"reads:     {reads}",
        f"effects:   {report.effects}, in {report.transitions} transitions",
        f"           {report.retried_effects} further attempts, {report.repeated_effects} repeats of an attempt",
        f"fenced:    {report.fenced_workers} workers, {report.fenced_writes} writes",
        *([f"killed:    {report.kills} processes beside these faults"] if report.kills else []),
        f"machine:   others had {report.others_share:.0%} of it; {'' if report.do_goals_count else 'no '}goals count",
        f"at rest:   {report.rest_seconds:.1f} s after the last fault",
        f"bounds:    {max(report.memory_mib.values()):.0f} MiB a process, {report.connections} connections",
        f"logged:    {logged or 'no errors'}",
        "",
    ]
    for verdict in report.verdicts:
        lines.append(f"{verdict.number:<4} {'holds ' if not verdict.count else 'BROKEN'} {verdict.text}")
        lines += [f"       {complaint}" for complaint in verdict.complaints]
        if verdict.count > len(verdict.complaints):
            lines.append(f"       and {verdict.count - len(verdict.complaints)} more")
    lines += [f"FAILED: {failure}" for failure in report.failures]
    without = f", but for {', '.join(report.obstacles)}, which cannot be done here" if report.obstacles else ""
    lines += ["", f"passed{without}" if report.has_passed else "NOT PASSED"]
    return "\n".join(lines)


def _write_recovery(recovery: Recovery) -> str:
    values = "".join(
        f" {'-' if value is None else f'{value:.2f}':>7}" for value in (recovery.p50, recovery.p95, recovery.max)
    )
    verdict = "" if recovery.p95 is None else ": met" if recovery.is_met else ": MISSED"
    return (
        f"{recovery.number:<4} {recovery.name:<22} {recovery.fired:>5}{values}  {recovery.goal:g}{verdict}"
        f" ({_MEASURES[recovery.measure]})"
    )


def _sample(fault: Fault, shot: Shot, facts: Facts, deaths: Sequence[float]) -> float | None:
    match fault.measure:
        case "hand_over" | "come_back":
            return None if shot.seconds is None else _since(shot.counts_from, shot.counts_from + shot.seconds, deaths)
        case "first_commit":
            later = (
                event.committed_at
                for event in facts.events
                if event.worker_id is not None and event.committed_at > shot.counts_from
            )
            first = min(later, default=None)
            return None if first is None else _since(shot.counts_from, first, deaths)
        case "late_start":
            waits = (
                _since(run.created_at, run.started_at, deaths)
                for run in facts.runs
                if run.started_at is not None and shot.at <= run.created_at <= shot.until
            )
            return max(waits, default=None)
        case "late_answer":
            answers = (
                _since(delivery.sent_at, delivery.acked_at, deaths)
                for delivery in facts.deliveries
                if delivery.acked_at is not None and shot.at <= delivery.sent_at <= shot.until
            )
            return max(answers, default=None)


def _since(began: float, done: float, deaths: Sequence[float]) -> float:
    """The seconds that something took, or that it took after the last death in between."""
    return done - max((death for death in deaths if began < death < done), default=began)
