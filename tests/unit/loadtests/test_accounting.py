"""Accepted = ended: what is lost, doubled, unexplained or wrong in the end is named."""

from typing import Any

import pytest
from msgspec import structs

from loadtests.accounting import Account, settle
from loadtests.api import Receipt, RunRow
from loadtests.plan import Sent
from tests.unit.loadtests.results import INGEST, PREPARED, make_receipts, make_runs, make_sent

LISTS = (
    "not_found",
    "unexplained",
    "shared",
    "not_ended",
    "ended_otherwise",
    "receipts_that_disagree",
    "unexplained_receipts",
)


def change(items: list[Any], place: int, **changes: Any) -> list[Any]:
    """The items, one of them changed."""
    return [structs.replace(item, **changes) if at == place else item for at, item in enumerate(items)]


def troubles(account: Account) -> dict[str, list[str]]:
    """What is wrong, by its kind."""
    return {name: found for name in LISTS if (found := getattr(account, name))}


def test_a_faultless_load_test_balances() -> None:
    account = settle(PREPARED, make_sent(6), make_runs(6), make_receipts(6), INGEST)
    assert troubles(account) == {}
    assert (account.accepted, account.ended, account.receipts) == (6, 6, 6)
    assert account.is_balanced


SENT, RUNS, RECEIPTS = make_sent(4), make_runs(4), make_receipts(4)


@pytest.mark.parametrize(
    ("sent", "runs", "receipts", "found"),
    [
        pytest.param(SENT, RUNS[1:], RECEIPTS, {"not_found": ["r0"]}, id="a lost run"),
        pytest.param(
            SENT, [*RUNS, structs.replace(RUNS[0], id="r9")], RECEIPTS, {"unexplained": ["r9"]}, id="a second run"
        ),
        pytest.param(
            change(SENT, 2, run_id="r0"),
            RUNS,
            change(RECEIPTS, 2, run_id="r0"),
            {"unexplained": ["r2"], "shared": ["r0"]},
            id="two events of one run",
        ),
        pytest.param(
            SENT, change(RUNS, 1, status="running", finished_at=None), RECEIPTS, {"not_ended": ["r1"]}, id="goes on"
        ),
        pytest.param(SENT, change(RUNS, 0, status="failed"), RECEIPTS, {"ended_otherwise": ["r0"]}, id="failed"),
        pytest.param(
            SENT, change(RUNS, 1, status="succeeded"), RECEIPTS, {"ended_otherwise": ["r1"]}, id="should have failed"
        ),
        pytest.param(
            SENT, change(RUNS, 1, workflow_id="w0"), RECEIPTS, {"ended_otherwise": ["r1"]}, id="of another workflow"
        ),
        pytest.param(
            SENT,
            RUNS,
            change(RECEIPTS, 3, run_id="r0"),
            {"receipts_that_disagree": ["e3"]},
            id="receipt of another run",
        ),
        pytest.param(
            SENT,
            RUNS,
            change(RECEIPTS, 3, outcome="filtered"),
            {"receipts_that_disagree": ["e3"]},
            id="another outcome",
        ),
        pytest.param(SENT, RUNS, RECEIPTS[:3], {"receipts_that_disagree": ["e3"]}, id="no receipt"),
        pytest.param(
            SENT,
            RUNS,
            [*RECEIPTS, structs.replace(RECEIPTS[0], id="e9")],
            {"unexplained_receipts": ["e9"]},
            id="a receipt of nothing",
        ),
    ],
)
def test_what_is_wrong_is_named(
    sent: list[Sent], runs: list[RunRow], receipts: list[Receipt], found: dict[str, list[str]]
) -> None:
    account = settle(PREPARED, sent, runs, receipts, INGEST)
    assert troubles(account) == found


def test_an_event_without_an_answer_may_have_started_one_run_and_no_more() -> None:
    sent = change(SENT, 0, status=0, run_id=None, event_id=None, error="timed out")
    account = settle(PREPARED, sent, RUNS, RECEIPTS, INGEST)
    assert (account.unanswered, account.accepted) == (1, 3)
    assert troubles(account) == {}
    doubled = settle(PREPARED, sent, [*RUNS, structs.replace(RUNS[0], id="r9")], RECEIPTS, INGEST)
    assert troubles(doubled) == {"unexplained": ["r9"]}


def test_an_event_that_was_sent_again_has_a_receipt_for_each_time() -> None:
    # The answer to the first was lost; the second one names the run of the first.
    sent = change(SENT, 0, status=200, tries=2, event_id="e0-again")
    again = structs.replace(RECEIPTS[0], id="e0-again", outcome="duplicate")
    assert troubles(settle(PREPARED, sent, RUNS, [*RECEIPTS, again], INGEST)) == {}
    assert troubles(settle(PREPARED, sent, RUNS, RECEIPTS, INGEST)) == {"receipts_that_disagree": ["e0-again"]}
    third = structs.replace(again, id="e0-thrice")
    found = troubles(settle(PREPARED, sent, RUNS, [*RECEIPTS, again, third], INGEST))
    assert found == {"unexplained_receipts": ["e0-thrice"]}


def test_a_repeat_counts_as_accepted_only_where_it_was_sent_twice() -> None:
    repeated = change(SENT, 0, status=200)
    assert settle(PREPARED, repeated, RUNS, RECEIPTS, INGEST).accepted == 3
    assert settle(PREPARED, change(repeated, 0, tries=2), RUNS, RECEIPTS, INGEST).accepted == 4
