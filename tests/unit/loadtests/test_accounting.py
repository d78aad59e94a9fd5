"""Accepted = ended: what is lost, doubled, unexplained or wrong in the end is named."""

from typing import Any

import pytest
from msgspec import structs

from loadtests.accounting import Account, settle
from loadtests.api import Receipt, RunRow
from loadtests.plan import Sent
from tests.unit.loadtests.results import PREPARED, make_receipts, make_runs, make_sent

LISTS = (
    "not_found",
    "unexplained",
    "shared",
    "not_ended",
    "ended_otherwise",
    "receipts_that_disagree",
)


def change(items: list[Any], place: int, **changes: Any) -> list[Any]:
    """The items, one of them changed."""
    return [structs.replace(item, **changes) if at == place else item for at, item in enumerate(items)]


def troubles(account: Account) -> dict[str, list[str]]:
    """What is wrong, by its kind."""
    return {name: found for name in LISTS if (found := getattr(account, name))}


def test_a_faultless_load_test_balances() -> None:
    account = settle(PREPARED, make_sent(6), make_runs(6), make_receipts(6))
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
            [],
            {"unexplained": ["r2"], "shared": ["r0"]},
            id="two events of one run",
        ),
        pytest.param(
            SENT, change(RUNS, 1, status="running", finished_at=None), [], {"not_ended": ["r1"]}, id="goes on"
        ),
        pytest.param(SENT, change(RUNS, 0, status="failed"), [], {"ended_otherwise": ["r0"]}, id="failed"),
        pytest.param(
            SENT, change(RUNS, 1, status="succeeded"), [], {"ended_otherwise": ["r1"]}, id="should have failed"
        ),
        pytest.param(
            SENT, change(RUNS, 1, workflow_id="w0"), [], {"ended_otherwise": ["r1"]}, id="run of another workflow"
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
    ],
)
def test_what_is_wrong_is_named(
    sent: list[Sent], runs: list[RunRow], receipts: list[Receipt], found: dict[str, list[str]]
) -> None:
    account = settle(PREPARED, sent, runs, receipts)
    assert troubles(account) == found
    assert account.is_balanced is not bool(found.keys() & {"not_found", "not_ended", "ended_otherwise", "shared"})


def test_an_event_without_an_answer_may_have_started_one_run_and_no_more() -> None:
    sent = change(SENT, 0, status=0, run_id=None, event_id=None, error="timed out")
    account = settle(PREPARED, sent, RUNS, [])
    assert (account.unanswered, account.accepted) == (1, 3)
    assert troubles(account) == {}
    doubled = settle(PREPARED, sent, [*RUNS, structs.replace(RUNS[0], id="r9")], [])
    assert troubles(doubled) == {"unexplained": ["r9"]}


def test_a_repeat_counts_as_accepted_only_where_it_was_sent_twice() -> None:
    repeated = change(SENT, 0, status=200)
    assert settle(PREPARED, repeated, RUNS, []).accepted == 3
    assert settle(PREPARED, change(repeated, 0, tries=2), RUNS, []).accepted == 4
