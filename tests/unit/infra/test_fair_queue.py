"""Workspaces are served in turn, and each keeps its order."""

from hypothesis import given
from hypothesis import strategies as st

from engine.infra.fair_queue import FairQueue


@given(st.lists(st.integers(0, 4), max_size=60))
def test_each_workspace_keeps_its_order_and_waits_for_one_item_of_each_other(workspaces: list[int]) -> None:
    queue: FairQueue[int] = FairQueue()
    for number, workspace in enumerate(workspaces):
        queue.push(workspace, number)
    assert len(queue) == len(workspaces)
    taken = [queue.pop() for _ in workspaces]
    assert not queue
    for workspace in set(workspaces):
        places = [place for place, (owner, _) in enumerate(taken) if owner == workspace]
        numbers = [number for owner, number in taken if owner == workspace]
        assert numbers == sorted(numbers)
        gaps = [later - earlier for earlier, later in zip([-1, *places], places, strict=False)]
        assert max(gaps) <= len(set(workspaces))


def test_who_comes_late_does_not_wait_for_what_others_have_in_it() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(1000):
        queue.push(1, "flood")
    queue.pop()
    queue.push(2, "other")
    assert [queue.pop()[1] for _ in range(2)] == ["flood", "other"]


def test_those_who_may_not_be_served_keep_their_place() -> None:
    queue: FairQueue[str] = FairQueue()
    for workspace in (1, 2, 3):
        queue.push(workspace, f"of {workspace}")
    assert queue.pop_where(lambda workspace: workspace > 1) == (2, "of 2")
    assert queue.pop_where(lambda workspace: workspace > 3) is None
    assert queue.pop() == (1, "of 1")
    assert list(queue) == ["of 3"]


def test_items_are_taken_out_by_name_or_by_workspace() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a", "b"):
        queue.push(1, item)
    queue.push(2, "c")
    queue.discard(1, "a")
    queue.discard(1, "never in it")
    queue.discard(3, "a")
    assert (len(queue), list(queue)) == (2, ["b", "c"])
    queue.drop(lambda workspace: workspace == 1)
    assert (len(queue), queue.workspaces) == (1, [2])
    queue.clear()
    assert not queue


def test_whose_turn_it_is_can_be_asked_before_it_is_taken() -> None:
    queue = FairQueue[str]()
    assert queue.next is None
    queue.push(1, "a")
    queue.push(1, "b")
    queue.push(2, "c")
    turns: list[int | None] = []
    while queue:
        turns.append(queue.next)
        assert queue.pop()[0] == turns[-1]
    assert turns == [1, 2, 1]
