"""Tallies show what Prometheus's own counters and histograms would."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

import engine.infra.metrics  # noqa: F401 - it switches off what the library would add to every figure
from engine.infra.tallies import SpreadTally, Tally

BUCKETS = (0.1, 1.0, 10)
VALUES = (0.05, 0.1, 0.5, 1.0, 7, 11)


def test_a_tally_is_read_as_a_counter() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = Tally("x_steps", "Steps", ["type"], registry=ours)
    counter = Counter("x_steps", "Steps", ["type"], registry=theirs)
    for _ in range(3):
        tally.labels("http").value += 1
        counter.labels("http").inc()
    assert tally.labels("http") is tally.labels("http")
    assert generate_latest(ours) == generate_latest(theirs)


def test_a_spread_is_read_as_a_histogram() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = SpreadTally("x_seconds", "Time", ["type"], buckets=BUCKETS, registry=ours).labels("http")
    histogram = Histogram("x_seconds", "Time", ["type"], buckets=BUCKETS, registry=theirs).labels("http")
    for value in VALUES:
        spread.observe(value)
        histogram.observe(value)
    assert generate_latest(ours) == generate_latest(theirs)
