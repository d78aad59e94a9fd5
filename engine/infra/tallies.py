"""Counters and histograms for hot paths: counted without a lock, by one thread, and read by Prometheus's collector.

The library's own cost 1.5 and 5 µs a count, which is several percent of a whole step.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Count:
    """One series of a counter: add to `value`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Tally(Collector):
    """A counter; `labels` gives the series of these label values, to be kept by the caller."""

    def __init__(self, name: str, text: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._series: dict[tuple[str, ...], Count] = {}
        registry.register(self)

    def labels(self, *values: str) -> Count:
        """The series of these label values."""
        return self._series.setdefault(values, Count())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The family as it stands."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, count in self._series.items():
            family.add_metric(values, count.value)
        yield family


class Spread:
    """One series of a histogram."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value into its bucket."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class SpreadTally(Collector):
    """A histogram; `labels` gives the series of these label values, to be kept by the caller."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], *, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self._labels, self._bounds = name, text, tuple(labels), tuple(buckets)
        self._series: dict[tuple[str, ...], Spread] = {}
        registry.register(self)
        if not self._labels:
            self.labels()

    def labels(self, *values: str) -> Spread:
        """The series of these label values."""
        return self._series.setdefault(values, Spread(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family as it stands."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        edges = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for values, spread in self._series.items():
            reached, buckets = 0, []
            for edge, count in zip(edges, spread.counts, strict=True):
                reached += count
                buckets.append((edge, reached))
            family.add_metric(values, buckets, spread.total)
        yield family
