"""A load test in which everything went as it should, to be broken in one way each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from loadtests.accounting import settle
from loadtests.api import Ingest, Receipt, RunRow
from loadtests.figures import Figure, Result, make_figures
from loadtests.place import Prepared
from loadtests.plan import Seen, Sent, due_at
from loadtests.profiles import PROFILES, Profile
from loadtests.sampling import LOCUST, Sample

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
PREPARED = [
    Prepared(workflow_id="w0", trigger_id="t0", hook="/v1/hooks/a", ends="succeeded"),
    Prepared(workflow_id="w1", trigger_id="t1", hook="/v1/hooks/b", ends="failed"),
]
INGEST = Ingest(accepted=100, drift=0)


def make_sent(count: int, rate: float = 10.0) -> list[Sent]:
    """Events that were answered 10 ms after they were due."""
    return [
        Sent(
            number=number,
            workflow=number % 2,
            due=due_at(number, rate),
            sent=due_at(number, rate) + 0.001,
            answered=due_at(number, rate) + 0.01,
            status=202,
            event_id=f"e{number}",
            run_id=f"r{number}",
        )
        for number in range(count)
    ]


def make_runs(count: int, rate: float = 10.0, seconds: float = 2.0) -> list[RunRow]:
    """Their runs, each of so many seconds."""
    return [
        RunRow(
            id=f"r{number}",
            workflow_id=f"w{number % 2}",
            status=PREPARED[number % 2].ends,
            created_at=BEGAN + timedelta(seconds=due_at(number, rate)),
            started_at=BEGAN + timedelta(seconds=due_at(number, rate)),
            finished_at=BEGAN + timedelta(seconds=due_at(number, rate) + seconds),
        )
        for number in range(count)
    ]


def make_receipts(count: int) -> list[Receipt]:
    """Their receipts."""
    return [
        Receipt(id=f"e{number}", trigger_id=f"t{number % 2}", outcome="started", run_id=f"r{number}")
        for number in range(count)
    ]


def make_samples(seconds: int) -> list[Sample]:
    """One a second, of a product that uses a twentieth of a core and does not grow."""
    return [
        Sample(
            at=BEGAN.timestamp() + second,
            cpu={"api": second / 20, LOCUST: second / 50},
            memory={"api": 100.0, LOCUST: 70.0},
            outbox=2,
            connections=12,
            busy_seconds=float(second),
            own_seconds=second / 10,
        )
        for second in range(seconds)
    ]


def make_result(name: str = "events", **changes: Any) -> Result:
    """What a load test of ten seconds has found out."""
    profile = structs.replace(PROFILES[name], rate=10.0, seconds=10.0)
    sent = make_sent(100)
    seen = Seen(began_at=BEGAN.timestamp(), read_ms=[5.0] * 10, end_to_stream_ms=[5.0] * 10, run_streams_ended=3)
    result = Result(
        profile=profile,
        sent=sent,
        seen=seen,
        account=settle(PREPARED, sent, make_runs(100), make_receipts(100), INGEST),
        samples=make_samples(10),
        is_busy=False,
        is_own=True,
    )
    return structs.replace(result, **changes)


def figure_of(result: Result, name: str) -> Figure:
    """One figure of a result."""
    return next(figure for figure in make_figures(result) if figure.name == name)


def missed(result: Result) -> list[str]:
    """The names of the bounds that a result misses."""
    return [figure.name for figure in make_figures(result) if figure.verdict == "MISSED"]


def bounds_of(profile: Profile) -> Sequence[str]:
    """The figures that a profile bounds."""
    return [bound.figure for bound in profile.bounds]
