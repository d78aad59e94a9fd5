"""When the claimer looks for runs that were left behind, and in which order it hands claimed ones on."""

from typing import Any, cast
from unittest.mock import AsyncMock

import asyncpg
import pytest

from engine.infra.ids import new_id
from engine.infra.shares import Shares
from engine.store.runs import ClaimedRun
from engine.worker import claimer as claimer_module
from engine.worker.claimer import BATCH, Claimer

PLACES = 5000
CONNECTION = cast(asyncpg.Connection, None)


@pytest.fixture
def places() -> Shares:
    return Shares(PLACES)


@pytest.fixture
def take() -> AsyncMock:
    return AsyncMock()


@pytest.fixture
async def claimer(places: Shares, take: AsyncMock) -> Claimer:
    """One that nobody runs, whose last sweep has left runs behind."""
    claimer = Claimer(
        AsyncMock(),
        worker_id=1,
        places=places,
        may_claim=lambda: True,
        count_claimable=lambda _: BATCH,
        take=take,
        look_after=AsyncMock(),
        reconcile=AsyncMock(),
        on_reconnect=lambda _: None,
        sweep_seconds=1.0,
    )
    claimer._must_sweep, claimer._has_left = False, True
    return claimer


def count_ends_until_sweep(claimer: Claimer) -> int:
    count = 0
    while not claimer._must_sweep:
        claimer.note_end()
        count += 1
    return count


def make_claimed(workspaces: list[int]) -> list[ClaimedRun]:
    ids = {workspace: new_id() for workspace in workspaces}
    fields: dict[str, Any] = dict.fromkeys(ClaimedRun.__struct_fields__)
    return [ClaimedRun(**{**fields, "id": new_id(), "workspace_id": ids[number]}) for number in workspaces]


async def test_more_is_looked_for_before_all_of_a_batch_have_ended(claimer: Claimer) -> None:
    assert count_ends_until_sweep(claimer) <= BATCH // 2


async def test_while_something_is_lined_up_nothing_more_is_looked_for(claimer: Claimer) -> None:
    claimer._lined_up.push(1, new_id())
    assert count_ends_until_sweep(claimer) == BATCH


async def test_where_places_are_short_many_are_filled_by_one_look(claimer: Claimer, places: Shares) -> None:
    for _ in range(PLACES // 2):
        places.take(1)
    assert count_ends_until_sweep(claimer) == BATCH


async def test_who_has_one_run_in_a_batch_is_loaded_before_who_has_many(
    claimer: Claimer, take: AsyncMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = make_claimed([1, 1, 1, 2, 1])
    monkeypatch.setattr(claimer_module, "claim_runs", AsyncMock(return_value=list(claimed)))
    await claimer._claim(CONNECTION, [run.id for run in claimed])
    assert take.await_args is not None
    handed_on = take.await_args.args[1]
    assert [run.id for run in handed_on] == [claimed[number].id for number in (3, 0, 1, 2, 4)]
