"""The invariants, each a function of the facts that gives what speaks against it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby

from msgspec import Struct

from cli.chaos.facts import Event, Facts
from cli.chaos.workflows import PARENTS, expected_effects, expected_journal

_RUN_ENDS = frozenset({"run.succeeded", "run.failed", "run.cancelled", "run.timed_out"})
_STEP_ENDS = frozenset({"step.succeeded", "step.failed", "step.skipped", "step.cancelled"})
# Of what the clocks of one machine may differ by, in seconds.
CLOCK_SECONDS = 0.002
# So much may a delay end before its time: a worker's clock lags behind by the time that an answer takes.
EARLY_SECONDS = 0.25
# So much may the date of a run differ from when it was sent and accepted.
DATE_SECONDS = 1.0
MEMORY_MIB = 600.0
CONNECTIONS = 57


class Invariant(Struct, frozen=True, kw_only=True):
    """A promise, and how what is known is held against it."""

    number: str
    text: str
    check: Callable[[Facts], Iterator[str]]


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of an invariant: the first complaints against it, and how many there are."""

    number: str
    text: str
    count: int
    complaints: list[str]


def check_all(facts: Facts, *, shown: int = 10) -> list[Verdict]:
    """The verdict on every invariant."""
    verdicts = []
    for invariant in INVARIANTS:
        found = list(invariant.check(facts))
        verdicts.append(
            Verdict(number=invariant.number, text=invariant.text, count=len(found), complaints=found[:shown])
        )
    return verdicts


def count_queue(facts: Facts) -> dict[str, int]:
    """Starts as a queue's elements: acked, lost, unexpected, duplicated, recovered (never acked, and there)."""
    sent = {delivery.n for delivery in facts.deliveries}
    acked = {delivery.n for delivery in facts.deliveries if delivery.acked_at is not None}
    there = Counter(run.n for run in facts.runs)
    return {
        "sent": len(sent),
        "acked": len(acked),
        "lost": len(acked - there.keys()),
        "unexpected": len(there.keys() - sent),
        "duplicated": sum(count - 1 for count in there.values()),
        "recovered": len((there.keys() & sent) - acked),
    }


def _nothing_lost(facts: Facts) -> Iterator[str]:
    runs = {run.id: run for run in facts.runs}
    for delivery in facts.deliveries:
        if delivery.acked_at is None:
            yield f"start {delivery.n} was never accepted, in {delivery.tries} tries"
        elif delivery.run_id not in runs:
            yield f"start {delivery.n} was accepted as {delivery.run_id}, and there is no such run"
        elif runs[delivery.run_id].n != delivery.n:
            yield f"start {delivery.n} was accepted as {delivery.run_id}, which is {runs[delivery.run_id].n}"
    for run in facts.runs:
        if run.status != "succeeded":
            yield f"run {run.id} ({run.n}) is {run.status}, error {run.error}"
    counts = count_queue(facts)
    for kind in ("unexpected", "duplicated"):
        if counts[kind]:
            yield f"{counts[kind]} runs are {kind}"


def _no_step_skipped(facts: Facts) -> Iterator[str]:
    done: dict[str, set[str]] = defaultdict(set)
    for event in facts.events:
        if event.kind == "step.succeeded":
            done[event.run_id].add(event.step)
    for run in facts.runs:
        if run.status == "succeeded" and done[run.id] != (expected := expected_journal(run.n)):
            yield f"run {run.id} ({run.n}): {_difference(done[run.id], expected)} in the journal"


def _each_transition_once(facts: Facts) -> Iterator[str]:
    for run_id, events in _by_run(facts):
        seqs = [event.seq for event in events]
        if seqs != list(range(1, len(seqs) + 1)):
            yield f"run {run_id}: the journal is no gapless sequence: {seqs}"
        ends = Counter(event.step for event in events if event.kind in _STEP_ENDS)
        for step, count in ends.items():
            if count > 1:
                yield f"run {run_id}: {step} ended {count} times"
        over = [event.kind for event in events if event.kind in _RUN_ENDS]
        if len(over) > 1 or (over and events[-1].kind not in _RUN_ENDS):
            yield f"run {run_id}: the run ended as {over}, and its last event is {events[-1].kind}"


def _order_kept(facts: Facts) -> Iterator[str]:
    committed: dict[tuple[str, str], float] = {}
    for event in facts.events:
        if event.kind == "step.succeeded":
            committed[event.run_id, event.step] = event.committed_at
    for effect in facts.effects:
        step = effect.step.partition("#")[0]
        for parent in PARENTS[step]:
            moment = committed.get((effect.run_id, parent))
            if moment is None:
                yield f"run {effect.run_id}: an effect of {effect.step} was seen, and {parent} has not succeeded"
            elif effect.at < moment - CLOCK_SECONDS:
                early = (moment - effect.at) * 1000
                yield f"run {effect.run_id}: {effect.step} had an effect {early:.0f} ms before {parent} was committed"
    yield from _delays_kept(facts, committed)


def _delays_kept(facts: Facts, committed: dict[tuple[str, str], float]) -> Iterator[str]:
    # By the target's clock: the delay began when the step before it had its answer, which may be committed later.
    begun: dict[str, float] = {}
    for effect in facts.effects:
        if effect.step == "charge":
            begun.setdefault(effect.run_id, effect.at)
    for run in facts.runs:
        ended = committed.get((run.id, "pause"))
        if run.id in begun and ended is not None and ended - begun[run.id] < run.pause - EARLY_SECONDS:
            yield f"run {run.id}: a delay of {run.pause:g} s was over after {ended - begun[run.id]:.3f} s"


def _nothing_written_late(facts: Facts) -> Iterator[str]:
    fenced = {worker.id: worker.changed_at for worker in facts.workers if not worker.alive}
    known = {worker.id for worker in facts.workers}
    for event in facts.events:
        if event.worker_id is None:
            continue
        if event.worker_id not in known:
            yield f"run {event.run_id}: event {event.seq} is by worker {event.worker_id}, which there is not"
        elif event.committed_at > fenced.get(event.worker_id, event.committed_at):
            late = (event.committed_at - fenced[event.worker_id]) * 1000
            yield f"run {event.run_id}: event {event.seq} by worker {event.worker_id} {late:.1f} ms after its fence"


def _one_key_each(facts: Facts) -> Iterator[str]:
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    users: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for effect in facts.effects:
        keys[effect.run_id, effect.step].add(effect.key)
        users[effect.key].add((effect.run_id, effect.step))
    for (run_id, step), found in keys.items():
        if len(found) > 1 or "" in found:
            yield f"run {run_id}: {step} was called with {sorted(found)}"
    for key, places in users.items():
        if len(places) > 1:
            yield f"the key {key} was used for {sorted(places)}"


def _ends_stay(facts: Facts) -> Iterator[str]:
    runs = {run.id: run for run in facts.runs}
    for run_id, (status, finished_at) in facts.first_ends.items():
        run = runs.get(run_id)
        if run is None or (run.status, run.finished_at) != (status, finished_at):
            now = "gone" if run is None else f"{run.status} at {run.finished_at}"
            yield f"run {run_id} was {status} at {finished_at}, and is {now}"


def _all_goes_on(facts: Facts) -> Iterator[str]:
    left, tail = facts.remainder, facts.tail
    for name in ("unfinished", "owned", "outbox", "inbox"):
        if count := getattr(left, name):
            yield f"{count} left: {name}"
    for name, sent in tail.sent.items():
        if tail.accepted.get(name, 0) != sent:
            yield f"after the calm, {name} accepted {tail.accepted.get(name, 0)} of {sent}"
    if tail.idle_workers:
        yield f"after the calm, no work was done by {', '.join(tail.idle_workers)}"
    if tail.silent_relays:
        yield f"after the calm, nothing was asked by {', '.join(tail.silent_relays)}"


def _api_agrees(facts: Facts) -> Iterator[str]:
    there = {run.id: run.status for run in facts.runs}
    for run_id in there.keys() | facts.api_statuses.keys():
        if there.get(run_id) != facts.api_statuses.get(run_id):
            yield f"run {run_id} is {there.get(run_id)}, and {facts.api_statuses.get(run_id)} by the API"
    seen: dict[str, set[str]] = defaultdict(set)
    for effect in facts.effects:
        seen[effect.run_id].add(effect.step)
    for run in facts.runs:
        if run.status == "succeeded" and seen[run.id] != (expected := expected_effects(run.n)):
            yield f"run {run.id} ({run.n}) succeeded: {_difference(seen[run.id], expected)} at the target"
    yield from _dates_fit(facts)
    for run_id, steps in facts.api_steps.items():
        wrong = {step: status for step, status in steps.items() if status not in {"succeeded", "skipped"}}
        if wrong:
            yield f"run {run_id}: by the API its steps are {wrong}"
    for run_id in seen.keys() - there.keys():
        yield f"effects of run {run_id} were seen, and there is no such run"


def _dates_fit(facts: Facts) -> Iterator[str]:
    dates = {run.n: run.created_at for run in facts.runs}
    for delivery in facts.deliveries:
        if delivery.acked_at is None or delivery.n not in dates:
            continue
        if not delivery.sent_at - DATE_SECONDS <= dates[delivery.n] <= delivery.acked_at + DATE_SECONDS:
            off = dates[delivery.n] - delivery.sent_at
            yield f"run {delivery.run_id} is dated {off:+.1f} s after its start was sent"


def _bounded(facts: Facts) -> Iterator[str]:
    for name, mib in facts.memory_mib.items():
        if mib > MEMORY_MIB:
            yield f"{name} takes {mib:.0f} MiB"
    if facts.connections > CONNECTIONS:
        yield f"{facts.connections} connections to PostgreSQL"
    yield from facts.complaints


def _all_accounted(facts: Facts) -> Iterator[str]:
    ingest = facts.ingest
    sum_of_all = ingest.started + ingest.duplicate + ingest.filtered + ingest.pending
    if ingest.drift or ingest.accepted != sum_of_all:
        yield f"{ingest.accepted} events were accepted, {sum_of_all} have receipts, and the drift is {ingest.drift}"
    # No trigger of these runs leaves anything out, or holds it back.
    for name in ("filtered", "pending"):
        if count := getattr(ingest, name):
            yield f"{count} events are {name}"
    hooked = {delivery.n for delivery in facts.deliveries if delivery.source == "webhook"}
    runs = sum(run.n in hooked for run in facts.runs)
    if ingest.started != runs:
        yield f"{ingest.started} events have started runs by their receipts, and there are {runs}"


def _by_run(facts: Facts) -> Iterator[tuple[str, list[Event]]]:
    ordered = sorted(facts.events, key=lambda event: (event.run_id, event.seq))
    for run_id, events in groupby(ordered, key=lambda event: event.run_id):
        yield run_id, list(events)


def _difference(found: set[str], expected: set[str]) -> str:
    return f"missing {sorted(expected - found)}, unexpected {sorted(found - expected)}"


INVARIANTS = (
    Invariant(number="I1", text="every accepted start ends as it should, none is lost", check=_nothing_lost),
    Invariant(number="I2", text="no step is skipped", check=_no_step_skipped),
    Invariant(number="I3", text="each transition is applied once, without a gap", check=_each_transition_once),
    Invariant(number="I4", text="a step starts only after its parents are committed", check=_order_kept),
    Invariant(number="I5", text="a fenced worker commits nothing", check=_nothing_written_late),
    Invariant(number="I6", text="a step has one idempotency key, and no other step has it", check=_one_key_each),
    Invariant(number="I7", text="terminal states never change", check=_ends_stay),
    Invariant(number="I8", text="after the calm nothing is left, and every role works", check=_all_goes_on),
    Invariant(number="I9", text="API, database and target agree", check=_api_agrees),
    Invariant(number="I10", text="memory and connections are bounded, nothing ends or answers wrongly", check=_bounded),
    Invariant(number="I11", text="every accepted event is accounted for", check=_all_accounted),
)
