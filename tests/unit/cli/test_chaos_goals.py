"""Times of recovery in chaos: from what they count, when a missed goal fails the run, and who has the machine."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from cli.bench.report import Machine
from cli.chaos.facts import Facts, RunRow
from cli.chaos.faults import Kill, Shot
from cli.chaos.load import Delivery
from cli.chaos.machine import Usage, count_others, read_usage
from cli.chaos.nemesis import FAULTS
from cli.chaos.report import Recovery, Report, measure, write_text
from cli.chaos.runner import LONG_SECONDS, QUIET_SHARE, find_failures, judge_goals
from tests.unit.cli.test_chaos_checks import BEGAN, event, make_facts

BURNT_SECONDS = 0.3


def run_row(**changes: Any) -> RunRow:
    row = RunRow(
        id="run-2",
        n=3,
        status="succeeded",
        pause=0.0,
        created_at=BEGAN + 1,
        started_at=BEGAN + 5,
        finished_at=BEGAN + 9,
        error=None,
    )
    return structs.replace(row, **changes)


def make_shot(fault: str) -> Shot:
    return Shot(fault=fault, victim="it", at=BEGAN, counts_from=BEGAN, until=BEGAN + 2, seconds=4.0)


def facts_of_recovery() -> Facts:
    """Everything took until four seconds after it began."""
    facts = make_facts()
    facts.deliveries = [Delivery(n=3, source="api", sent_at=BEGAN + 1, acked_at=BEGAN + 5, run_id="run-2")]
    facts.runs = [run_row()]
    facts.events = [event(2, "run.started", "", BEGAN + 4)]
    return facts


@pytest.mark.parametrize(
    ("fault", "role", "stranger"),
    [
        pytest.param("kill_worker", "worker", "api", id="hand over"),
        pytest.param("crash_postgres", "worker", "relay", id="first commit"),
        pytest.param("kill_relay", "relay", "api", id="late start"),
        pytest.param("kill_api", "api", "worker", id="late answer"),
    ],
)
def test_recovery_counts_from_the_last_kill_of_who_has_to_live_for_it(fault: str, role: str, stranger: str) -> None:
    facts, shots = facts_of_recovery(), [make_shot(fault)]

    def seconds(*kills: Kill) -> float | None:
        return measure(FAULTS[fault], shots, facts, kills).max

    assert seconds() == 4.0
    assert seconds(Kill(role=stranger, at=BEGAN + 3)) == 4.0
    done_at = BEGAN + (5 if fault in {"kill_relay", "kill_api"} else 4)
    assert seconds(Kill(role=role, at=BEGAN + 2), Kill(role=role, at=BEGAN + 3)) == done_at - (BEGAN + 3)
    assert seconds(Kill(role=role, at=BEGAN - 1), Kill(role=role, at=done_at + 1)) == 4.0


def make_report(**changes: Any) -> Report:
    recovery = Recovery(
        name="kill_api", number="F6", text="", measure="late_answer", goal=5, fired=1, p50=1.0, p95=6.5, max=6.5
    )
    report = Report(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        seed=1,
        seconds=LONG_SECONDS,
        machine=Machine(cpus=2, cpu_model="any", memory_gib=4, kernel="any", versions={}),
        recoveries=[recovery],
        obstacles={},
        queue={"acked": 1},
        answers={},
        reads={"200": 1},
        unknown_outcomes=0,
        accepted_within_ms={},
        transitions=1,
        effects=1,
        retried_effects=0,
        repeated_effects=1,
        kills=0,
        others_share=0.0,
        do_goals_count=False,
        fenced_workers=1,
        fenced_writes=1,
        rest_seconds=1.0,
        memory_mib={"api-1": 100.0},
        connections=3,
        logged={},
        verdicts=[],
        failures=[],
    )
    return structs.replace(report, **changes)


@pytest.mark.parametrize(
    ("strict", "seconds", "others", "fails"),
    [
        pytest.param(None, LONG_SECONDS, 0.0, True, id="long, on a quiet machine"),
        pytest.param(None, LONG_SECONDS, QUIET_SHARE, False, id="long, on a busy machine"),
        pytest.param(None, LONG_SECONDS - 1, 0.0, False, id="short"),
        pytest.param(True, 1.0, 1.0, True, id="strict"),
        pytest.param(False, LONG_SECONDS, 0.0, False, id="not strict"),
    ],
)
def test_a_missed_goal_fails_where_times_mean_something(
    strict: bool | None, seconds: float, others: float, fails: bool
) -> None:
    report = make_report(others_share=others, do_goals_count=judge_goals(strict, seconds, others))
    report.failures = find_failures(report)
    assert report.has_passed is not fails
    assert ("kill_api missed its goal of 5 s: p95 is 6.50 s" in write_text(report)) is fails


def test_a_goal_that_is_met_fails_nothing() -> None:
    report = make_report(do_goals_count=True)
    report.recoveries[0].p95 = 5.0
    assert find_failures(report) == []


def test_others_have_what_is_neither_ours_nor_idle() -> None:
    before = Usage(passed=100.0, busy=50.0, own=20.0)
    assert count_others(before, Usage(passed=120.0, busy=65.0, own=30.0)) == pytest.approx(0.25)
    assert count_others(before, Usage(passed=120.0, busy=60.0, own=31.0)) == 0.0
    assert count_others(before, before) == 0.0


@pytest.mark.parametrize("has_ended", [True, False], ids=["ended", "living"])
def test_what_children_use_is_ours(has_ended: bool) -> None:
    before = read_usage()
    program = f"import time\nwhile time.process_time() < {BURNT_SECONDS}: pass\nprint('done', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"
        if has_ended:
            child.communicate(b"\n")
        after = read_usage()
    # Ticks of a hundredth of a second.
    assert after.own - before.own >= BURNT_SECONDS - 0.03
    assert after.busy - before.busy >= BURNT_SECONDS - 0.05
