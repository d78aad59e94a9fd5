"""The profiles: what each sends, and every bound that it must hold."""

from typing import Final, Literal

from msgspec import Struct

# Nothing goes on for longer, and nothing sends more.
MOST_SECONDS: Final = 3000
MOST_RATE: Final = 1000
MOST_EVENTS: Final = 300_000

Flow = Literal["single", "chain", "mixed"]


class Bound(Struct, frozen=True, kw_only=True):
    """What a figure must not exceed, or must reach.

    On a machine that is busy with other things (`--busy`) a time says nothing of the product. There `busy_*` holds in
    the place of the bound, which is then a goal that is only told.
    """

    figure: str
    at_most: float | None = None
    at_least: float | None = None
    busy_at_most: float | None = None
    busy_at_least: float | None = None

    def now(self, *, is_busy: bool) -> tuple[float | None, float | None]:
        """What must hold on this machine: at most, at least."""
        if not is_busy:
            return self.at_most, self.at_least
        return (
            self.at_most if self.busy_at_most is None else self.busy_at_most,
            self.at_least if self.busy_at_least is None else self.busy_at_least,
        )


class Profile(Struct, frozen=True, kw_only=True):
    """One load test: events a second, for so many seconds, to workflows of one kind, and who else is about."""

    title: str
    rate: float
    seconds: float
    bounds: tuple[Bound, ...]
    flow: Flow = "single"
    workflows: int = 1
    readers: int = 0
    workspace_streams: int = 0
    run_streams: int = 0
    most_seconds: int = MOST_SECONDS


def _accounted(rate_share: float) -> tuple[Bound, ...]:
    """What every profile must hold, on any machine: nothing fails, nothing is lost, nothing is doubled."""
    return (
        Bound(figure="rate reached", at_least=rate_share, busy_at_least=0.8),
        Bound(figure="errors", at_most=0),
        # On a busy machine, a commit may take so long that others are told to come back. They do, and are accepted.
        Bound(figure="told to come back later", at_most=0, busy_at_most=MOST_EVENTS),
        Bound(figure="accepted and not found", at_most=0),
        Bound(figure="runs nobody sent", at_most=0),
        Bound(figure="events that share a run", at_most=0),
        Bound(figure="receipts that disagree", at_most=0),
        Bound(figure="receipts of nothing", at_most=0),
        Bound(figure="drift of the product's own accounts", at_most=0),
        Bound(figure="not ended", at_most=0),
        Bound(figure="ended otherwise than they should", at_most=0),
    )


# A stream that leaves something out would be no live view.
_STREAMED: Final = (
    Bound(figure="ends that a stream left out", at_most=0),
    Bound(figure="gaps in streams of a run", at_most=0),
    Bound(figure="run streams followed to the end", at_least=1),
)

PROFILES: Final[dict[str, Profile]] = {
    "events": Profile(
        title="1,000 events a minute to a workflow of one step",
        rate=1000 / 60,
        seconds=60,
        bounds=(
            *_accounted(0.99),
            Bound(figure="webhook to 202 p99", at_most=20, busy_at_most=5_000),
            Bound(figure="accepted to ended p99", at_most=100, busy_at_most=20_000),
            Bound(figure="CPU of the product", at_most=10, busy_at_most=200),
        ),
    ),
    "burst": Profile(
        title="10,000 events in a minute to a workflow of one step",
        rate=10_000 / 60,
        seconds=60,
        bounds=(
            *_accounted(0.99),
            Bound(figure="webhook to 202 p99", at_most=50, busy_at_most=10_000),
            Bound(figure="accepted to ended p99", at_most=500, busy_at_most=60_000),
            Bound(figure="all ended after the last answer", at_most=5, busy_at_most=120),
        ),
    ),
    "mixed": Profile(
        title="100 distinct workflows at once, each run held for five seconds, beside people who read and watch",
        flow="mixed",
        workflows=100,
        rate=50,
        seconds=60,
        readers=10,
        workspace_streams=10,
        run_streams=10,
        # A session's token lives no longer than that.
        most_seconds=600,
        bounds=(
            *_accounted(0.99),
            *_STREAMED,
            Bound(figure="distinct workflows at once", at_least=100),
            Bound(figure="webhook to 202 p99", at_most=50, busy_at_most=10_000),
            Bound(figure="API read p99", at_most=150, busy_at_most=10_000),
            Bound(figure="end to stream p99", at_most=250, busy_at_most=20_000),
        ),
    ),
    "soak": Profile(
        title="half an hour of five times 1,000 events a minute: nothing grows but what is kept",
        flow="chain",
        rate=5 * 1000 / 60,
        seconds=1800,
        bounds=(
            *_accounted(0.99),
            Bound(figure="webhook to 202 p99", at_most=50, busy_at_most=10_000),
            Bound(figure="accepted to ended p99", at_most=500, busy_at_most=60_000),
            # Five seconds of load.
            Bound(figure="outbox rows at most, later half", at_most=5 * 5 * 1000 / 60),
            Bound(figure="memory, last third to the third before", at_most=1.15),
            Bound(figure="connections, last third less the third before", at_most=4),
        ),
    ),
    "minute": Profile(
        title="a minute in all, with its start and its report: a little of everything, for the test suite",
        flow="mixed",
        workflows=20,
        rate=1000 / 60,
        seconds=24,
        readers=2,
        workspace_streams=2,
        run_streams=2,
        most_seconds=600,
        bounds=(
            *_accounted(0.99),
            *_STREAMED,
            Bound(figure="distinct workflows at once", at_least=20),
            Bound(figure="webhook to 202 p99", at_most=50, busy_at_most=10_000),
            Bound(figure="API read p99", at_most=150, busy_at_most=20_000),
            Bound(figure="end to stream p99", at_most=250, busy_at_most=30_000),
        ),
    ),
}
