"""Every invariant of chaos notices what speaks against it: facts of a faultless run, broken in one way each."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from cli.chaos.checks import check_all, count_queue
from cli.chaos.facts import Event, Facts, Ingest, Remainder, RunRow, Tail, WorkerRow
from cli.chaos.ledger import Effect
from cli.chaos.load import Delivery
from cli.chaos.report import count_effects
from cli.chaos.workflows import PARENTS, expected_effects, expected_journal

RUN, N, BEGAN = "run-1", 2, 1000.0
ORDER = ("reserve", "charge", "mail", "stock", "pack", "packing", "pause", "is_even", "invoice", "finish")
OUTLINE = [path for name in ORDER for path in sorted(expected_journal(N)) if path.split(".")[-1] == name]


def effect(step: str, at: float, **changes: Any) -> Effect:
    made = Effect(at=at, key=f"{RUN}:{step}", run_id=RUN, n=N, step=step, attempt=1, answer="ok")
    return structs.replace(made, **changes)


def event(seq: int, kind: str, step: str, at: float, worker_id: int | None = 1) -> Event:
    return Event(run_id=RUN, seq=seq, kind=kind, step=step, worker_id=worker_id, committed_at=at)


def make_facts() -> Facts:
    """A run of number 2 that went as it should, by a worker that was fenced afterwards."""
    events = [event(1, "run.queued", "", BEGAN, worker_id=None), event(2, "run.started", "", BEGAN + 1)]
    events += [event(3 + place, "step.succeeded", step, BEGAN + 2 + place) for place, step in enumerate(OUTLINE)]
    events.append(event(len(events) + 1, "run.succeeded", "", BEGAN + 50))
    committed = {one.step: one.committed_at for one in events}
    effects = [
        effect(step, max((committed[parent] for parent in PARENTS[step.partition("#")[0]]), default=BEGAN) + 0.5)
        for step in sorted(expected_effects(N))
    ]
    return Facts(
        deliveries=[Delivery(n=N, source="api", sent_at=BEGAN, acked_at=BEGAN + 0.1, run_id=RUN, tries=1)],
        runs=[
            RunRow(
                id=RUN,
                n=N,
                status="succeeded",
                pause=1.5,
                created_at=BEGAN,
                started_at=BEGAN + 1,
                finished_at=BEGAN + 50,
                error=None,
            )
        ],
        events=events,
        workers=[WorkerRow(id=1, alive=False, changed_at=BEGAN + 60), WorkerRow(id=2, alive=True, changed_at=BEGAN)],
        effects=effects,
        first_ends={RUN: ("succeeded", BEGAN + 50)},
        api_statuses={RUN: "succeeded"},
        api_steps={RUN: {"reserve": "succeeded", "receipt": "skipped"}},
        ingest=count_events(),
        remainder=Remainder(outbox=0, inbox=0, owned=0, unfinished=0),
        tail=Tail(sent={"api-1": 5}, accepted={"api-1": 5}),
        memory_mib={"api-1": 120.0},
        connections=30,
        complaints=[],
    )


def count_events(**counts: int) -> Ingest:
    """Accounts of few events: the run of the facts was started by a call."""
    return Ingest(
        **{**dict.fromkeys(("accepted", "started", "duplicate", "filtered", "pending", "drift"), 0), **counts}
    )


def broken(facts: Facts) -> set[str]:
    return {verdict.number for verdict in check_all(facts) if verdict.count}


def change_run(facts: Facts, **changes: Any) -> None:
    facts.runs = [structs.replace(facts.runs[0], **changes)]


def change_event(facts: Facts, of: str, **changes: Any) -> None:
    facts.events = [structs.replace(one, **changes) if one.step == of else one for one in facts.events]


def lose_run(facts: Facts) -> None:
    facts.runs, facts.events, facts.effects = [], [], []
    facts.first_ends, facts.api_statuses = {}, {}


def accept_twice(facts: Facts) -> None:
    twin = structs.replace(facts.runs[0], id="run-2")
    facts.runs = [*facts.runs, twin]


def run_what_nobody_sent(facts: Facts) -> None:
    change_run(facts, n=4)


def never_accept(facts: Facts) -> None:
    facts.deliveries = [Delivery(n=N, source="api", sent_at=BEGAN, tries=9)]


def fail_run(facts: Facts) -> None:
    change_run(facts, status="failed", error="internal_error")


def skip_step(facts: Facts) -> None:
    facts.events = [structs.replace(one, kind="step.skipped") if one.step == "stock" else one for one in facts.events]


def take_wrong_branch(facts: Facts) -> None:
    change_event(facts, "invoice", step="receipt")


def leave_gap(facts: Facts) -> None:
    facts.events = [one for one in facts.events if one.seq != 2]


def end_step_twice(facts: Facts) -> None:
    change_event(facts, "stock", step="mail")


def go_on_after_end(facts: Facts) -> None:
    facts.events = [*facts.events, event(len(facts.events) + 1, "step.started", "finish", BEGAN + 51)]


def start_early(facts: Facts) -> None:
    facts.effects = [structs.replace(one, at=BEGAN) if one.step == "finish" else one for one in facts.effects]


def end_delay_early(facts: Facts) -> None:
    change_run(facts, pause=20.0)


def write_after_fence(facts: Facts) -> None:
    facts.workers = [WorkerRow(id=1, alive=False, changed_at=BEGAN + 49)]


def write_as_nobody(facts: Facts) -> None:
    change_event(facts, "mail", worker_id=77)


def change_key(facts: Facts) -> None:
    facts.effects = [*facts.effects, effect("mail", BEGAN + 30, key=f"{RUN}:mail:2", attempt=2)]


def share_key(facts: Facts) -> None:
    facts.effects = [structs.replace(one, key=f"{RUN}:mail") if one.step == "stock" else one for one in facts.effects]


def change_end(facts: Facts) -> None:
    facts.first_ends = {RUN: ("succeeded", BEGAN + 40)}


def leave_outbox(facts: Facts) -> None:
    facts.remainder = Remainder(outbox=3, inbox=0, owned=0, unfinished=0)


def leave_worker_idle(facts: Facts) -> None:
    facts.tail = Tail(sent={"api-1": 5}, accepted={"api-1": 5}, idle_workers=["worker-2"])


def leave_relay_silent(facts: Facts) -> None:
    facts.tail = Tail(sent={"api-1": 5}, accepted={"api-1": 5}, silent_relays=["relay-1"])


def refuse_last_request(facts: Facts) -> None:
    facts.tail = Tail(sent={"api-1": 5}, accepted={"api-1": 4})


def let_api_differ(facts: Facts) -> None:
    facts.api_statuses = {RUN: "running"}


def miss_effect(facts: Facts) -> None:
    facts.effects = [one for one in facts.effects if one.step != "pack#3"]


def show_effect_of_nothing(facts: Facts) -> None:
    facts.effects = [*facts.effects, effect("reserve", BEGAN, run_id="run-9", key="run-9:reserve")]


def misdate(facts: Facts) -> None:
    change_run(facts, created_at=BEGAN + 600)


def grow(facts: Facts) -> None:
    facts.memory_mib = {"api-1": 2000.0}


def answer_500(facts: Facts) -> None:
    facts.complaints = ["start 2 was answered 500: internal error"]


def lose_receipt(facts: Facts) -> None:
    facts.ingest = count_events(accepted=2, duplicate=1, drift=1)


def miscount(facts: Facts) -> None:
    # Minute by minute nothing is missing, and yet the sum is wrong.
    facts.ingest = count_events(accepted=2, duplicate=1)


def hold_event(facts: Facts) -> None:
    facts.ingest = count_events(accepted=1, pending=1)


def leave_event_out(facts: Facts) -> None:
    facts.ingest = count_events(accepted=1, filtered=1)


def lose_run_of_webhook(facts: Facts) -> None:
    facts.ingest = count_events(accepted=1, started=1)


def lose_receipt_and_count(facts: Facts) -> None:
    facts.deliveries = [structs.replace(facts.deliveries[0], source="webhook")]


def test_a_faultless_run_breaks_nothing() -> None:
    facts = make_facts()
    assert broken(facts) == set()
    assert count_queue(facts) == {
        "sent": 1,
        "acked": 1,
        "lost": 0,
        "unexpected": 0,
        "duplicated": 0,
        "recovered": 0,
    }


@pytest.mark.parametrize(
    ("number", "breaking"),
    [
        ("I1", lose_run),
        ("I1", accept_twice),
        ("I1", run_what_nobody_sent),
        ("I1", never_accept),
        ("I1", fail_run),
        ("I2", skip_step),
        ("I2", take_wrong_branch),
        ("I3", leave_gap),
        ("I3", end_step_twice),
        ("I3", go_on_after_end),
        ("I4", start_early),
        ("I4", end_delay_early),
        ("I5", write_after_fence),
        ("I5", write_as_nobody),
        ("I6", change_key),
        ("I6", share_key),
        ("I7", change_end),
        ("I8", leave_outbox),
        ("I8", leave_worker_idle),
        ("I8", leave_relay_silent),
        ("I8", refuse_last_request),
        ("I9", let_api_differ),
        ("I9", miss_effect),
        ("I9", show_effect_of_nothing),
        ("I9", misdate),
        ("I10", grow),
        ("I10", answer_500),
        ("I11", lose_receipt),
        ("I11", miscount),
        ("I11", hold_event),
        ("I11", leave_event_out),
        ("I11", lose_run_of_webhook),
        ("I11", lose_receipt_and_count),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_breaks_an_invariant_is_noticed(number: str, breaking: Callable[[Facts], None]) -> None:
    facts = make_facts()
    breaking(facts)
    assert number in broken(facts)


def test_starts_are_counted_as_elements_of_a_queue() -> None:
    facts = make_facts()
    never_accept(facts)
    accept_twice(facts)
    assert count_queue(facts) == {
        "sent": 1,
        "acked": 0,
        "lost": 0,
        "unexpected": 0,
        "duplicated": 1,
        "recovered": 1,
    }


def test_a_repeat_under_one_number_is_told_from_a_further_attempt() -> None:
    facts = make_facts()
    facts.effects = [*facts.effects, effect("mail", BEGAN + 30), effect("mail", BEGAN + 31, attempt=2)]
    assert count_effects(facts) == (1, 1)
