"""Figures of a load test, and the verdict on each."""

import pytest
from msgspec import structs

from loadtests.accounting import settle
from loadtests.figures import OF_OWN_PRODUCT, make_figures
from loadtests.plan import Sent
from loadtests.profiles import PROFILES, Bound
from tests.unit.loadtests.results import (
    BEGAN,
    INGEST,
    PREPARED,
    bounds_of,
    figure_of,
    make_receipts,
    make_result,
    make_runs,
    make_samples,
    make_sent,
    missed,
)


@pytest.mark.parametrize("name", PROFILES)
def test_every_bound_is_of_a_figure_that_is_taken(name: str) -> None:
    judged = {figure.name for figure in make_figures(make_result(name)) if figure.verdict}
    assert judged == set(bounds_of(PROFILES[name]))


def test_a_bound_of_no_figure_is_refused() -> None:
    result = make_result()
    wrong = structs.replace(result.profile, bounds=(Bound(figure="luck", at_least=1),))
    with pytest.raises(KeyError, match="luck"):
        make_figures(structs.replace(result, profile=wrong))


def test_a_faultless_load_test_misses_nothing() -> None:
    # Its runs take two seconds, which only this profile allows.
    assert missed(make_result("events")) == ["accepted to ended p99"]
    assert (
        missed(
            make_result(
                "soak",
                account=settle(PREPARED, make_sent(100), make_runs(100, seconds=0.1), make_receipts(100), INGEST),
            )
        )
        == []
    )


def delay(sent: list[Sent], seconds: float, first: int, last: int) -> list[Sent]:
    """The server stood still until a moment: who was due before it was sent on time, and answered then."""
    back = sent[last].due
    return [
        structs.replace(one, answered=max(one.answered, back + seconds)) if first <= one.number <= last else one
        for one in sent
    ]


def test_a_standstill_counts_for_everybody_who_came_meanwhile() -> None:
    # Five seconds of a hundred events at ten a second: half of all, who have waited from 0 to 5 seconds.
    result = make_result(sent=delay(make_sent(100), 0.01, first=0, last=50))
    assert figure_of(result, "webhook to 202 p50").value == pytest.approx(10, abs=150)
    assert figure_of(result, "webhook to 202 p95").value == pytest.approx(4500, abs=200)
    assert "webhook to 202 p99" in missed(result)


def test_what_is_sent_late_is_told_and_its_time_counts_from_when_it_was_due() -> None:
    late = [structs.replace(one, sent=one.due + 0.4, answered=one.due + 0.41) for one in make_sent(100)]
    result = make_result(sent=late)
    assert figure_of(result, "sent late, by more than 50 ms").value == 100
    assert figure_of(result, "sent late p99").value == pytest.approx(400)
    assert figure_of(result, "webhook to 202 p50").value == pytest.approx(410)
    assert figure_of(result, "the same from the moment of sending, p99").value == pytest.approx(10)


def test_a_sender_that_falls_behind_misses_the_rate() -> None:
    behind = [structs.replace(one, sent=one.due * 2, answered=one.due * 2) for one in make_sent(100)]
    assert figure_of(make_result(sent=behind), "rate reached").value == pytest.approx(0.5, abs=0.01)
    assert "rate reached" in missed(make_result(sent=behind))
    assert "rate reached" in missed(make_result(sent=behind, is_busy=True))


def test_an_error_is_an_error_on_any_machine() -> None:
    sent = [structs.replace(one, error="503") if one.number == 7 else one for one in make_sent(100)]
    for is_busy in (False, True):
        assert "errors" in missed(make_result(sent=sent, is_busy=is_busy))


@pytest.mark.parametrize(
    ("milliseconds", "is_busy", "verdict"),
    [
        (19.0, False, "holds"),
        (21.0, False, "MISSED"),
        (19.0, True, "holds"),
        (21.0, True, "goal missed"),
        (5001.0, True, "MISSED"),
    ],
)
def test_a_time_is_a_bound_on_a_quiet_machine_and_a_goal_on_a_busy_one(
    milliseconds: float, is_busy: bool, verdict: str
) -> None:
    sent = [structs.replace(one, answered=one.due + milliseconds / 1000) for one in make_sent(100)]
    figure = figure_of(make_result(sent=sent, is_busy=is_busy), "webhook to 202 p99")
    assert figure.verdict == verdict
    assert figure.bound == ("<= 5000, goal <= 20" if is_busy else "<= 20")


def test_what_should_have_been_measured_and_was_not_is_missed() -> None:
    assert "CPU of the product" in missed(make_result(samples=[]))
    elsewhere = make_result(samples=[], is_own=False)
    assert figure_of(elsewhere, "CPU of the product").verdict == "not measured"
    assert not OF_OWN_PRODUCT & set(missed(elsewhere))


def test_cpu_is_that_of_the_product_without_locust() -> None:
    result = make_result(samples=make_samples(10))
    assert figure_of(result, "CPU of the product").value == pytest.approx(5)
    assert figure_of(result, "CPU, Locust").value == pytest.approx(2)
    assert figure_of(result, "CPU that others used meanwhile").value == pytest.approx(90)
    assert figure_of(result, "memory of the product, at most").value == 100


def test_memory_that_grows_is_missed_by_the_soak() -> None:
    grown = [
        structs.replace(sample, memory={"api": 100.0 * 1.1**second}) for second, sample in enumerate(make_samples(10))
    ]
    assert "memory, last third to the third before" in missed(make_result("soak", samples=grown))


@pytest.mark.parametrize(("seconds", "at_once"), [(2.0, 2), (0.05, 1)])
def test_workflows_at_once_are_those_whose_runs_overlap(seconds: float, at_once: int) -> None:
    # An event every 100 ms, for two workflows in turn.
    account = settle(PREPARED, make_sent(10), make_runs(10, seconds=seconds), make_receipts(10), INGEST)
    assert figure_of(make_result(account=account), "distinct workflows at once").value == at_once


def test_a_stream_that_leaves_out_an_end_is_missed() -> None:
    result = make_result("mixed")
    seen = structs.replace(result.seen, left_out={1: ["r4", "r5"]})
    assert figure_of(structs.replace(result, seen=seen), "ends that a stream left out").value == 2
    assert "ends that a stream left out" in missed(structs.replace(result, seen=seen))


def test_a_stream_that_was_reset_is_an_error() -> None:
    result = make_result("mixed")
    seen = structs.replace(result.seen, began_at=BEGAN.timestamp(), resets=1)
    assert "errors" in missed(structs.replace(result, seen=seen))


def test_a_drift_of_the_products_accounts_is_missed() -> None:
    result = make_result()
    drifted = structs.replace(result.account, ingest=structs.replace(INGEST, drift=1))
    assert "drift of the product's own accounts" in missed(structs.replace(result, account=drifted, is_busy=True))


def test_being_told_to_come_back_is_missed_on_a_quiet_machine_alone() -> None:
    sent = [structs.replace(one, told_back=2) if one.number == 7 else one for one in make_sent(100)]
    assert figure_of(make_result(sent=sent), "told to come back later").value == 2
    assert "told to come back later" in missed(make_result(sent=sent))
    busy = make_result(sent=sent, is_busy=True)
    assert figure_of(busy, "told to come back later").verdict == "goal missed"
