"""Traceparents reach whatever a span calls, and cost next to nothing where nothing is recorded."""

import asyncio
import time

import pytest

from engine.infra.telemetry import (
    current_traceparent,
    is_sampled,
    new_traceparent,
    read_traceparent,
    span,
)

UNSAMPLED = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
SAMPLED = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def test_an_unsampled_trace_is_passed_on_unchanged() -> None:
    with span("outer", parent=UNSAMPLED):
        assert current_traceparent() == UNSAMPLED
        with span("inner") as inner:
            assert inner.traceparent == UNSAMPLED
            assert not inner.is_recorded
    assert current_traceparent() is None


def test_without_parent_or_surroundings_a_trace_begins() -> None:
    with span("first") as first, span("second", parent=None) as second:
        assert second.traceparent == first.traceparent
    with span("other") as other:
        assert other.traceparent != first.traceparent
    assert read_traceparent(first.traceparent) == first.traceparent


def test_a_trace_from_outside_stays_sampled_without_a_collector() -> None:
    with span("received", parent=SAMPLED):
        assert current_traceparent() == SAMPLED


async def test_tasks_do_not_see_each_others_spans() -> None:
    async def work(parent: str) -> str | None:
        with span("work", parent=parent):
            await asyncio.sleep(0)
            return current_traceparent()

    parents = [new_traceparent() for _ in range(20)]
    assert await asyncio.gather(*(work(parent) for parent in parents)) == parents


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param("00-" + "0" * 32 + "-" + "b" * 16 + "-01", id="no trace"),
        pytest.param("00-" + "a" * 32 + "-" + "0" * 16 + "-01", id="no span"),
        pytest.param("ff-" + "a" * 32 + "-" + "b" * 16 + "-01", id="forbidden version"),
        pytest.param("00-" + "A" * 32 + "-" + "b" * 16 + "-01", id="capitals"),
        pytest.param("00-" + "a" * 32 + "-" + "b" * 16 + "-01\n", id="line end"),
    ],
)
def test_a_malformed_traceparent_is_not_taken(header: str | None) -> None:
    assert read_traceparent(header) is None


def test_a_new_trace_is_unsampled_without_a_collector() -> None:
    assert not any(is_sampled(new_traceparent()) for _ in range(100))


def test_a_span_of_an_unsampled_trace_costs_next_to_nothing() -> None:
    def measure() -> float:
        began = time.perf_counter()
        for _ in range(2000):
            with span("work", parent=UNSAMPLED):
                pass
        return (time.perf_counter() - began) / 2000

    # Measured at 2 us; the bound leaves room for a busy machine, not for an SDK span (17 us and more).
    assert min(measure() for _ in range(20)) < 8e-6
