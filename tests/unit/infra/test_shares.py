"""A flood takes most places and leaves some; how many it may take is known beforehand."""

import pytest

from engine.infra.shares import Shares


def fill(shares: Shares, workspace: int) -> int:
    """Take all that the workspace may; how many that were."""
    count = 0
    while shares.may_take(workspace):
        shares.take(workspace)
        count += 1
    return count


@pytest.mark.parametrize(("limit", "floods", "free"), [(5000, 1, 1000), (5000, 2, 200), (100, 1, 20), (5, 1, 1)])
def test_some_places_stay_free_whoever_floods(limit: int, floods: int, free: int) -> None:
    shares = Shares(limit)
    for workspace in range(floods):
        fill(shares, workspace)
    assert shares.free == free
    assert shares.may_take(99)


def test_what_becomes_free_goes_to_those_who_hold_least_until_all_hold_the_same() -> None:
    shares = Shares(100)
    held = [fill(shares, workspace) for workspace in range(10)]
    assert held[0] == 80
    assert shares.free == 0
    for _ in range(1000):
        # Runs end where most are, and whoever may begins another one: first those who came last.
        workspace = held.index(max(held))
        shares.give_back(workspace)
        held[workspace] -= 1
        for later in reversed(range(10)):
            held[later] += fill(shares, later)
    assert max(held) - min(held) <= 4
    assert shares.free > 0
    assert shares.may_take(99)


def test_those_who_are_full_are_named_and_others_are_not() -> None:
    shares = Shares(10)
    fill(shares, 1)
    shares.take(2)
    assert shares.full() == [1]
    shares.give_back(1)
    shares.give_back(1)
    shares.give_back(2)
    assert shares.full() == []


def test_what_was_taken_is_free_again_once_it_is_given_back() -> None:
    shares = Shares(7)
    for _ in range(100):
        taken = fill(shares, 3)
        assert taken == 6
        for _ in range(taken):
            shares.give_back(3)
    assert shares.free == 7
