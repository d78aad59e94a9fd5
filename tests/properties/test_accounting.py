"""Time accounting over random histories: its parts add up, and each moment is in the part that the rules say."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.accounting import TimeSpent, Timing, account_run, account_step, take_timing
from engine.core.events import is_step_event
from engine.core.statuses import RunStatus
from tests.properties.core_run import CoreRun
from tests.properties.graphs import Plan, plans

SEEDS = st.integers(0, 2**32)
PARTS = [field for field in TimeSpent.__struct_fields__ if field != "total_ms"]


def make_history(plan: Plan, seed: int, rounds: Sequence[int], *, is_skewed: bool = False) -> list[Any]:
    """The journal of a run over several rounds, in which time passes at random."""
    run = CoreRun(plan, seed)
    run.start()
    for count in rounds:
        for _ in range(count):
            if not run.is_over:
                run.act()
        run.cancel()
        if run.state.status is RunStatus.SUCCEEDED:
            break
        run.retry()
        run.start()
    random = Random(seed)  # noqa: S311 - a repeatable order, no secret
    passed = timedelta(0)
    journal = []
    for event in run.journal:
        passed += timedelta(milliseconds=random.choice([0, 0, 1, 700, 2500]), microseconds=random.randrange(1000))
        journal.append(_stretch(event, passed, random, is_skewed=is_skewed))
    return journal


def _stretch(event: Any, passed: timedelta, random: Random, *, is_skewed: bool) -> Any:
    """The event at a later time. An attempt gets a length and a time that it was held back for."""
    at = event.at + passed
    changes: dict[str, Any] = {"at": at}
    if getattr(event, "retry_at", None) is not None:
        changes["retry_at"] = event.retry_at + passed
    if getattr(event, "started_at", None) is not None and getattr(event, "items", None) is None:
        most = 5000 if is_skewed else 900
        changes["started_at"] = at - timedelta(milliseconds=random.randrange(-most if is_skewed else 0, most))
        if hasattr(event, "queued_ms"):
            changes["queued_ms"] = queued_ms = random.randrange(most)
            changes["limited_ms"] = random.choice([msgspec.UNSET, queued_ms // 3, queued_ms])
    return msgspec.structs.replace(event, **changes)


def split(journal: Sequence[Any]) -> tuple[list[Any], list[Timing]]:
    own = [event for event in journal if not is_step_event(event)]
    return own, [take_timing(event) for event in journal if is_step_event(event)]


def check_sum(spent: TimeSpent, begin: datetime, end: datetime) -> None:
    assert spent.total_ms == (end - begin) // timedelta(milliseconds=1)
    parts = [getattr(spent, part) for part in PARTS]
    assert min(parts) >= 0
    assert sum(parts) == spent.total_ms


@given(plan=plans(), seed=SEEDS, rounds=st.lists(st.integers(0, 12), max_size=3), late=st.integers(0, 100_000))
@settings(deadline=None)
def test_the_parts_of_a_run_add_up_to_the_whole_at_every_moment_of_its_history(
    plan: Plan, seed: int, rounds: list[int], late: int
) -> None:
    journal = make_history(plan, seed, rounds, is_skewed=True)
    for length in {1, 2, len(journal) // 2 + 1, len(journal)}:
        own, timings = split(journal[:length])
        until = journal[:length][-1].at + timedelta(milliseconds=late)
        is_over = type(own[-1]).__struct_config__.tag in (
            "run.succeeded",
            "run.failed",
            "run.cancelled",
            "run.timed_out",
        )
        check_sum(account_run(own, timings, until=until), own[0].at, own[-1].at if is_over else until)


@given(plan=plans(), seed=SEEDS, rounds=st.lists(st.integers(0, 12), max_size=3), late=st.integers(0, 100_000))
@settings(deadline=None)
def test_the_parts_of_a_step_add_up_to_the_whole(plan: Plan, seed: int, rounds: list[int], late: int) -> None:
    journal = make_history(plan, seed, rounds)
    _, timings = split(journal)
    until = journal[-1].at + timedelta(milliseconds=late)
    for path in {timing.step for timing in timings}:
        steps = [timing for timing in timings if timing.step == path]
        spent = account_step(steps, until=until)
        assert spent is not None
        ends = [number for number, timing in enumerate(steps) if timing.kind != "step.started" or timing.has_items]
        first_attempt = steps[: ends[0] + 1] if ends else steps
        began = min(
            min(timing.at, (timing.started_at or timing.at) - timedelta(milliseconds=timing.queued_ms))
            for timing in first_attempt
        )
        is_over = steps[-1].kind in ("step.succeeded", "step.failed", "step.skipped", "step.cancelled")
        check_sum(spent, began, steps[-1].at if is_over else until)


@given(plan=plans(max_steps=5), seed=SEEDS, rounds=st.lists(st.integers(0, 12), max_size=2))
@settings(deadline=None)
def test_each_moment_is_in_the_part_that_the_rules_say(plan: Plan, seed: int, rounds: list[int]) -> None:
    own, timings = split(make_history(plan, seed, rounds))
    until = max(own[-1].at, *(timing.at for timing in timings)) if timings else own[-1].at
    spent = account_run(own, timings, until=until)
    assert {part: getattr(spent, part) for part in PARTS} == judge(own, timings, own[0].at, until)


def judge(own: Sequence[Any], timings: Sequence[Timing], begin: datetime, until: datetime) -> dict[str, int]:
    """The same, slowly: every stretch between two times of the history is looked at on its own."""
    end = own[-1].at if _phase(own, own[-1].at) == "ended_ms" else until
    marks = {begin, end}
    for event in own:
        marks.add(event.at)
    for timing in timings:
        started_at = timing.started_at or timing.at
        marks |= {timing.at, started_at, started_at - timedelta(milliseconds=timing.limited_ms)}
        marks |= {timing.at - timedelta(milliseconds=timing.limited_ms)}
        marks |= {timing.retry_at} if timing.retry_at else set()
    spent = dict.fromkeys(PARTS, 0)
    ordered = sorted(mark for mark in marks if begin <= mark <= end)
    for start, stop in pairwise(ordered):
        length = (stop - begin) // timedelta(milliseconds=1) - (start - begin) // timedelta(milliseconds=1)
        phase = _phase(own, start)
        spent[phase or _work(timings, start, end)] += length
    return spent


def _phase(own: Sequence[Any], moment: datetime) -> str | None:
    phase: str | None = None
    for event in own:
        if event.at > moment:
            break
        match type(event).__struct_config__.tag:
            case "run.queued" | "run.retried":
                phase = "queued_ms"
            case "run.held":
                phase = "limited_ms"
            case "run.started" | "run.resumed":
                phase = None
            case "run.waiting":
                phase = "waiting_ms"
            case "run.signalled":
                pass
            case _:
                phase = "ended_ms"
    return phase


def _work(timings: Sequence[Timing], moment: datetime, end: datetime) -> str:
    found = set()
    for at, timing in enumerate(timings):
        following = next((later.at for later in timings[at + 1 :] if later.step == timing.step), end)
        if timing.has_items:
            continue
        if timing.started_at is not None:
            attempt_end = following if timing.kind == "step.started" else timing.at
            if timing.started_at <= moment < attempt_end:
                found.add("running_ms")
            if timing.started_at - timedelta(milliseconds=timing.limited_ms) <= moment < timing.started_at:
                found.add("limited_ms")
        elif timing.kind == "step.started" and timing.limited_ms:
            # Held back when the event came, and for as long before.
            held_back_at = timing.at - timedelta(milliseconds=timing.limited_ms)
            found |= {"limited_ms"} if held_back_at <= moment < following else set()
        if timing.retry_at is not None and timing.at <= moment < min(timing.retry_at, following):
            found.add("backing_off_ms")
    return next((part for part in ("running_ms", "limited_ms", "backing_off_ms") if part in found), "running_ms")
