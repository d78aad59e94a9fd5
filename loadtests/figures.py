"""What a load test gives: named figures, each held against its bound."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final, Literal

from msgspec import Struct

from cli.bench.figures import percentile
from loadtests.accounting import Account
from loadtests.plan import Seen, Sent
from loadtests.profiles import Bound, Profile
from loadtests.sampling import LOCUST, Sample

LATE_SECONDS: Final = 0.05
# Of these nothing is known where the product was not started by the load test.
OF_OWN_PRODUCT: Final = frozenset(
    {
        "CPU of the product",
        "outbox rows at most, later half",
        "memory, last third to the third before",
        "connections, last third less the third before",
    }
)

Verdict = Literal["holds", "MISSED", "goal missed", "not measured", ""]


class Figure(Struct, frozen=True, kw_only=True):
    """One figure. `verdict` is empty where it has no bound; only `MISSED` makes the load test fail."""

    name: str
    value: float | None
    unit: str
    bound: str = ""
    verdict: Verdict = ""


class Result(Struct, frozen=True, kw_only=True):
    """Everything that a load test has found out."""

    profile: Profile
    sent: Sequence[Sent]
    seen: Seen
    account: Account
    samples: Sequence[Sample]
    is_busy: bool
    is_own: bool


def find_errors(sent: Sequence[Sent], seen: Seen) -> list[str]:
    """What went wrong, each with where it did."""
    events = [f"event {one.number}: {one.error}" for one in sent if one.error]
    resets = [f"a stream of the workspace was reset {seen.resets} times"] if seen.resets else []
    return [*events, *seen.read_errors, *seen.stream_errors, *resets]


def make_figures(result: Result) -> list[Figure]:
    """All figures, with the verdict on each that has a bound. Raises KeyError for a bound of no figure."""
    values = {
        **_of_sending(result),
        **_of_account(result),
        **_of_watching(result.profile, result.seen),
        **(_of_samples(result) if result.is_own else dict.fromkeys(OF_OWN_PRODUCT, (None, ""))),
    }
    bounds = {bound.figure: bound for bound in result.profile.bounds}
    if unknown := bounds.keys() - values.keys():
        raise KeyError(f"there are bounds of figures that nobody takes: {sorted(unknown)}")
    return [
        _judge(name, value, unit, bounds.get(name), is_busy=result.is_busy, is_own=result.is_own)
        for name, (value, unit) in values.items()
        if value is not None or name in bounds
    ]


Values = dict[str, tuple[float | None, str]]


def _judge(name: str, value: float | None, unit: str, bound: Bound | None, *, is_busy: bool, is_own: bool) -> Figure:
    if bound is None:
        return Figure(name=name, value=value, unit=unit)
    verdict: Verdict
    if value is None:
        # What should have been measured, and was not, holds nothing.
        verdict = "not measured" if name in OF_OWN_PRODUCT and not is_own else "MISSED"
    elif not _holds(value, *bound.now(is_busy=is_busy)):
        verdict = "MISSED"
    else:
        verdict = "holds" if _holds(value, bound.at_most, bound.at_least) else "goal missed"
    return Figure(name=name, value=value, unit=unit, bound=_write_bound(bound, is_busy=is_busy), verdict=verdict)


def _holds(value: float, at_most: float | None, at_least: float | None) -> bool:
    return (at_most is None or value <= at_most) and (at_least is None or value >= at_least)


def _write_bound(bound: Bound, *, is_busy: bool) -> str:
    at_most, at_least = bound.now(is_busy=is_busy)
    text = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}"
    goal = f"<= {bound.at_most:g}" if bound.at_most is not None else f">= {bound.at_least:g}"
    return text if text == goal else f"{text}, goal {goal}"


def _of_sending(result: Result) -> Values:
    sent = result.sent
    answered = [(one.answered - one.due) * 1000 for one in sent if one.is_accepted]
    late = [one.sent - one.due for one in sent]
    span = max([result.profile.seconds, *(one.sent for one in sent)])
    values: Values = {
        "events sent": (len(sent), "events"),
        "events a second": (len(sent) / span, "events/s"),
        "rate reached": (len(sent) / span / result.profile.rate, "of the rate"),
        "errors": (len(find_errors(sent, result.seen)), ""),
        "sent late, by more than 50 ms": (sum(one > LATE_SECONDS for one in late), "events"),
        "sent late p99": (_at(late, 0.99, 1000), "ms"),
        "told to come back later": (sum(one.told_back for one in sent) + result.seen.told_back, "times"),
        "sent twice, for a closed connection": (sum(one.tries > 1 for one in sent), "events"),
    }
    for share in (0.5, 0.95, 0.99, 1.0):
        values[f"webhook to 202 {_name(share)}"] = (_at(answered, share), "ms")
    kept = [(one.answered - one.sent) * 1000 for one in sent if one.is_accepted]
    values["the same from the moment of sending, p99"] = (_at(kept, 0.99), "ms")
    return values


def _of_account(result: Result) -> Values:
    account, seen = result.account, result.seen
    took = [
        (row.finished_at - row.created_at).total_seconds() * 1000 for row in account.runs if row.finished_at is not None
    ]
    last_end = max((row.finished_at.timestamp() for row in account.runs if row.finished_at), default=None)
    last_answer = seen.began_at + max((one.answered for one in result.sent), default=0.0)
    return {
        "accepted": (account.accepted, "events"),
        "ended": (account.ended, "runs"),
        "accepted and not found": (len(account.not_found), "runs"),
        "runs nobody sent": (len(account.unexplained), "runs"),
        "events that share a run": (len(account.shared), "runs"),
        "receipts": (account.receipts, "receipts"),
        "receipts that disagree": (len(account.receipts_that_disagree), "receipts"),
        "receipts of nothing": (len(account.unexplained_receipts), "receipts"),
        "drift of the product's own accounts": (account.ingest.drift, "events"),
        "not ended": (len(account.not_ended), "runs"),
        "ended otherwise than they should": (len(account.ended_otherwise), "runs"),
        **{f"accepted to ended {_name(share)}": (_at(took, share), "ms") for share in (0.5, 0.95, 0.99, 1.0)},
        "all ended after the last answer": (None if last_end is None else max(last_end - last_answer, 0.0), "s"),
        "distinct workflows at once": (count_at_once(result.account), "workflows"),
    }


def count_at_once(account: Account) -> int:
    """Of how many distinct workflows there were runs under way at a time, at the most: accepted, and not ended."""
    moments = [(row.created_at, 1, row.workflow_id) for row in account.runs]
    # Ends before beginnings of the same moment.
    moments += [(row.finished_at, -1, row.workflow_id) for row in account.runs if row.finished_at is not None]
    going_on: dict[str, int] = {}
    most = 0
    for _, change, workflow_id in sorted(moments, key=lambda moment: moment[:2]):
        going_on[workflow_id] = going_on.get(workflow_id, 0) + change
        if not going_on[workflow_id]:
            del going_on[workflow_id]
        most = max(most, len(going_on))
    return most


def _of_watching(profile: Profile, seen: Seen) -> Values:
    values: Values = {}
    if profile.readers:
        values["API reads"] = (len(seen.read_ms), "reads")
        for share in (0.5, 0.99):
            values[f"API read {_name(share)}"] = (_at(seen.read_ms, share), "ms")
    if profile.workspace_streams:
        values["ends that a stream left out"] = (sum(map(len, seen.left_out.values())), "runs")
        values["ends shown by all streams"] = (len(seen.end_to_stream_ms), "ends")
        for share in (0.5, 0.99):
            values[f"end to stream {_name(share)}"] = (_at(seen.end_to_stream_ms, share), "ms")
    if profile.run_streams:
        values["run streams followed to the end"] = (seen.run_streams_ended, "streams")
        values["gaps in streams of a run"] = (len(seen.gaps), "streams")
    return values


def _of_samples(result: Result) -> Values:
    began = result.seen.began_at
    # The load, without what comes before and after it.
    under_load = [one for one in result.samples if began <= one.at <= began + result.profile.seconds]
    if len(under_load) < 2:  # noqa: PLR2004 - a difference needs two
        return dict.fromkeys(OF_OWN_PRODUCT, (None, ""))
    first, last = under_load[0], under_load[-1]
    seconds = last.at - first.at
    roles = [role for role in first.cpu if role != LOCUST]
    third = len(under_load) // 3
    before, after = under_load[third : 2 * third], under_load[2 * third :]
    others = last.busy_seconds - first.busy_seconds - (last.own_seconds - first.own_seconds)
    values: Values = {
        "CPU of the product": (_cpu(first, last, roles) / seconds * 100, "% of a core"),
        **{f"CPU, {role}": (_cpu(first, last, [role]) / seconds * 100, "% of a core") for role in roles},
        "CPU, Locust": (_cpu(first, last, [LOCUST]) / seconds * 100, "% of a core"),
        "CPU that others used meanwhile": (max(others, 0.0) / seconds * 100, "% of a core"),
        "memory of the product, at most": (max(_memory(one) for one in under_load), "MiB"),
        "outbox rows at most, later half": (max(one.outbox for one in under_load[len(under_load) // 2 :]), "rows"),
        "memory, last third to the third before": (None, "times"),
        "connections, last third less the third before": (None, "connections"),
    }
    if before and after:
        ratio = fmean(_memory(one) for one in after) / max(fmean(_memory(one) for one in before), 1.0)
        more = max(one.connections for one in after) - max(one.connections for one in before)
        values["memory, last third to the third before"] = (ratio, "times")
        values["connections, last third less the third before"] = (more, "connections")
    return values


def _cpu(first: Sample, last: Sample, roles: Sequence[str]) -> float:
    return sum(last.cpu.get(role, 0.0) - first.cpu.get(role, 0.0) for role in roles)


def _memory(sample: Sample) -> float:
    return sum(mib for role, mib in sample.memory.items() if role != LOCUST)


def _at(values: Sequence[float], share: float, factor: float = 1.0) -> float | None:
    return percentile(values, share) * factor if values else None


def _name(share: float) -> str:
    return "max" if share == 1.0 else f"p{round(share * 100)}"
