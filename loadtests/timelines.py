"""The plots of a report: what happened when, second by second."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from cli.bench.figures import percentile
from loadtests.figures import Result
from loadtests.plots import Plot, Series
from loadtests.sampling import Sample

SHARES = (0.5, 0.95, 0.99)


def make_plots(result: Result) -> list[Plot]:
    """All plots that there is something for."""
    began = result.seen.began_at
    runs = result.account.runs
    accepted = Counter(int(one.answered) for one in result.sent if one.is_accepted)
    ended = Counter(int(row.finished_at.timestamp() - began) for row in runs if row.finished_at is not None)
    horizon = range(min([0, *ended]), max([0, *accepted, *ended]) + 2)
    sums = {name: _add_up(counts, horizon) for name, counts in (("accepted", accepted), ("ended", ended))}
    under_way = [(at, yes - no) for (at, yes), (_, no) in zip(sums["accepted"], sums["ended"], strict=True)]
    late = _by_second((one.sent, (one.sent - one.due) * 1000) for one in result.sent)
    answers = _by_second((one.due, (one.answered - one.due) * 1000) for one in result.sent if one.is_accepted)
    took = _by_second(
        (row.created_at.timestamp() - began, (row.finished_at - row.created_at).total_seconds() * 1000)
        for row in runs
        if row.finished_at is not None
    )
    return [
        Plot(
            title="Accepted and ended",
            unit="events, runs",
            series=[Series(name=name, points=points) for name, points in sums.items()],
            note="Both lines must come to the same height; the space between them is what is under way.",
        ),
        Plot(title="Runs under way", unit="runs", series=[Series(name="accepted, not ended", points=under_way)]),
        Plot(
            title="Webhook to 202, from the moment at which it was due",
            unit="ms",
            series=_percentiles(answers),
            note="A standstill shows as a slope: everybody who would have come meanwhile has waited.",
        ),
        Plot(title="Sent late", unit="ms", series=[Series(name="most in a second", points=_most(late))]),
        Plot(title="Accepted to ended, by the second of acceptance", unit="ms", series=_percentiles(took)),
        *_plot_samples(result.samples, began),
    ]


def _plot_samples(samples: Sequence[Sample], began: float) -> list[Plot]:
    roles = sorted({role for sample in samples for role in sample.cpu})
    cpu: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for before, after in pairwise(samples):
        for role in after.cpu:
            # A role that was not there before has not used anything by then.
            spent = after.cpu[role] - before.cpu.get(role, 0.0)
            cpu[role].append((after.at - began, max(spent, 0.0) / (after.at - before.at) * 100))
    memory = {role: [(one.at - began, one.memory[role]) for one in samples if role in one.memory] for role in roles}
    outbox = [(one.at - began, float(one.outbox)) for one in samples]
    connections = [(one.at - began, float(one.connections)) for one in samples]
    return [
        Plot(title="Outbox", unit="rows that wait", series=[Series(name="outbox", points=outbox)]),
        Plot(title="CPU", unit="% of a core", series=[Series(name=role, points=cpu[role]) for role in roles]),
        Plot(title="Memory", unit="MiB", series=[Series(name=role, points=memory[role]) for role in roles]),
        Plot(title="Connections to PostgreSQL", unit="", series=[Series(name="connections", points=connections)]),
    ]


def _add_up(counts: Counter[int], seconds: range) -> list[tuple[float, float]]:
    totals = accumulate(counts[second] for second in seconds)
    return [(float(second + 1), float(total)) for second, total in zip(seconds, totals, strict=True)]


def _by_second(values: Iterable[tuple[float, float]]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = defaultdict(list)
    for at, value in values:
        found[int(at)].append(value)
    return dict(sorted(found.items()))


def _percentiles(values: dict[int, list[float]]) -> list[Series]:
    return [
        Series(
            name=f"p{round(share * 100)}",
            points=[(float(at), percentile(found, share)) for at, found in values.items()],
        )
        for share in SHARES
    ]


def _most(values: dict[int, list[float]]) -> list[tuple[float, float]]:
    return [(float(at), max(found)) for at, found in values.items()]
