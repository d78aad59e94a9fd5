"""Locust's side of a load test, against something that answers as the test wants."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from loadtests.locust_process import LocustFailed, LocustProcess
from loadtests.plan import Plan, Seen, Sent, read_seen, read_sent
from tests.integration.loadtests.stand_in import Delivery, StandIn, frame

COUNT = 20
# For what never comes: a test that waits for it takes as long as that.
SHORT_DRAIN_SECONDS = 5.0


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn().running() as running:
        yield running


async def run_locust(stand_in: StandIn, folder: Path, **changes: Any) -> tuple[list[Sent], Seen]:
    """Send COUNT events, 50 a second, and give what Locust has written down."""
    plan = Plan(
        url=stand_in.url,
        token="t",
        folder=str(folder),
        hooks=["/v1/hooks/token"],
        workflow_ids=["w"],
        rate=50,
        count=COUNT,
        answer_seconds=60,
    )
    locust = LocustProcess(structs.replace(plan, **changes))
    try:
        await locust.start()
        await locust.wait()
    finally:
        await locust.stop()
    return sorted(read_sent(folder), key=lambda one: one.number), read_seen(folder)


async def test_events_are_sent_while_none_is_answered(stand_in: StandIn, tmp_path: Path) -> None:
    # Nobody gets an answer before everybody has asked: who waited for one before sending the next would wait for ever.
    together = threading.Barrier(COUNT, timeout=50)

    def take(delivery: Delivery) -> tuple[int, bytes]:
        together.wait()
        return stand_in.accept(delivery)

    stand_in.take = take
    sent, _ = await run_locust(stand_in, tmp_path)
    assert [one.number for one in sent] == list(range(COUNT))
    assert all(one.is_accepted for one in sent)
    assert [round(one.due, 6) for one in sent] == [round(number / 50, 6) for number in range(COUNT)]
    # The first of them waited at least until the last was due, and its time says so.
    assert sent[0].answered >= sent[-1].due


async def test_what_is_sent_and_answered_is_written_down(stand_in: StandIn, tmp_path: Path) -> None:
    sent, seen = await run_locust(stand_in, tmp_path)
    assert {one.run_id for one in sent} == {run["id"] for run in stand_in.runs.values()}
    assert len({one.webhook_id for one in stand_in.deliveries}) == COUNT
    assert all(one.due <= one.sent <= one.answered for one in sent)
    assert seen.began_at > 0
    assert "Locust" in (tmp_path / "locust.html").read_text()
    # The plan held a token.
    assert not (tmp_path / "plan.json").exists()


async def test_a_closed_connection_is_tried_again_as_the_same_event(stand_in: StandIn, tmp_path: Path) -> None:
    def take(delivery: Delivery) -> tuple[int, bytes] | None:
        is_first = [one.number for one in stand_in.deliveries].count(delivery.number) == 1
        answer = stand_in.accept(delivery)
        return None if is_first and delivery.number == 3 else answer

    stand_in.take = take
    sent, _ = await run_locust(stand_in, tmp_path)
    assert [one.number for one in sent if one.tries == 2] == [3]
    assert all(one.is_accepted and one.error is None for one in sent)
    assert sent[3].status == 200
    assert len({one.webhook_id for one in stand_in.deliveries if one.number == 3}) == 1
    assert len(stand_in.deliveries) == COUNT + 1


async def test_who_is_told_to_come_back_does_so_as_the_same_event(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.headers[503] = {"retry-after": "1"}

    def take(delivery: Delivery) -> tuple[int, bytes]:
        times = [one.number for one in stand_in.deliveries].count(delivery.number)
        return (503, b"{}") if delivery.number == 3 and times < 3 else stand_in.accept(delivery)

    stand_in.take = take
    sent, _ = await run_locust(stand_in, tmp_path, count=5)
    assert [one.told_back for one in sent] == [0, 0, 0, 2, 0]
    assert all(one.is_accepted and one.error is None for one in sent)
    assert len({one.webhook_id for one in stand_in.deliveries if one.number == 3}) == 1
    # Two seconds of waiting are part of its time.
    assert sent[3].answered - sent[3].due >= 2


async def test_every_other_answer_is_an_error(stand_in: StandIn, tmp_path: Path) -> None:
    def take(delivery: Delivery) -> tuple[int, bytes]:
        accepted = stand_in.accept(delivery)
        answers = {
            2: (503, b'{"code": "busy"}'),
            4: (202, b"accepted"),
            5: (202, b'{"event_id": "e", "run_id": null}'),
            # A repeat, of what was sent once.
            6: (200, accepted[1]),
        }
        return answers.get(delivery.number, accepted)

    stand_in.take = take
    sent, _ = await run_locust(stand_in, tmp_path)
    assert [one.number for one in sent if one.error] == [2, 4, 5, 6]
    assert [one.number for one in sent if not one.is_accepted] == [2, 4, 5, 6]


async def test_streams_that_show_every_end_leave_nothing_out(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.stream = lambda _path: stand_in.ends()
    sent, seen = await run_locust(stand_in, tmp_path, workspace_streams=2)
    assert seen.left_out == {}
    assert seen.stream_errors == []
    assert len(seen.end_to_stream_ms) == 2 * len(sent)


async def test_an_end_that_a_stream_does_not_show_is_noticed(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.stream = lambda _path: stand_in.ends(left_out=lambda number: number == 7)
    _, seen = await run_locust(stand_in, tmp_path, workspace_streams=1, drain_seconds=SHORT_DRAIN_SECONDS)
    assert stand_in.runs[7]["id"] in seen.left_out[0]


async def test_a_reset_is_noticed(stand_in: StandIn, tmp_path: Path) -> None:
    def stream(_path: str) -> Iterator[bytes]:
        yield frame("5-0", "reset", {})
        yield from stand_in.ends()

    stand_in.stream = stream
    _, seen = await run_locust(stand_in, tmp_path, workspace_streams=1)
    assert seen.resets == 1
    assert seen.left_out == {}


async def test_streams_of_runs_are_held_to_their_numbers(stand_in: StandIn, tmp_path: Path) -> None:
    shapes = [
        ([1, 2, 3], "run.succeeded"),
        # A gap, no beginning, no end.
        ([1, 3], "run.succeeded"),
        ([2, 3], "run.succeeded"),
        ([1, 2], "step.succeeded"),
    ]
    opened: list[str] = []

    def stream(path: str) -> Iterator[bytes]:
        with stand_in.changed:
            opened.append(path)
            stand_in.changed.notify_all()
            seqs, end = shapes[len(opened) - 1] if len(opened) <= len(shapes) else shapes[0]
        for seq in seqs:
            yield frame(str(seq), end if seq == seqs[-1] else "step.succeeded", {"seq": seq})

    def take(delivery: Delivery) -> tuple[int, bytes]:
        # The watcher follows the latest run: each is accepted once the one before it is watched.
        with stand_in.changed:
            assert stand_in.changed.wait_for(lambda: len(opened) == delivery.number, timeout=50)
        return stand_in.accept(delivery)

    stand_in.stream, stand_in.take = stream, take
    # The last event is answered when the last stream that is looked at is open.
    _, seen = await run_locust(stand_in, tmp_path, run_streams=1, count=len(shapes) + 1)
    runs = [stand_in.runs[number]["id"] for number in range(len(shapes))]
    assert seen.stream_errors == []
    assert [one for one in seen.gaps if runs[0] in one] == []
    assert f"{runs[1]}: 3 after 1" in seen.gaps
    assert f"{runs[2]}: 2 after 0" in seen.gaps
    assert f"{runs[3]}: no end after 2" in seen.gaps


async def test_a_read_that_fails_is_noticed(stand_in: StandIn, tmp_path: Path) -> None:
    # It answers `{}` to most reads, which lacks what the page would show. The events are answered once it is asked.
    has_read = threading.Event()
    answer = stand_in.answer

    def notice(method: str, path: str) -> tuple[int, Any]:
        if path.startswith("/v1/workflows/"):
            has_read.set()
        return answer(method, path)

    stand_in.answer = notice  # type: ignore[method-assign]  # it stands in for it
    stand_in.list_runs = list
    stand_in.take = lambda delivery: (has_read.wait(50), stand_in.accept(delivery))[1]
    _, seen = await run_locust(stand_in, tmp_path, readers=3)
    assert len(seen.read_ms) >= 3
    assert "GET /v1/workflows/{id} answered without definition" in seen.read_errors


async def test_locust_sends_to_no_other_machine(stand_in: StandIn, tmp_path: Path) -> None:
    with pytest.raises(LocustFailed, match="code 1"):
        await run_locust(stand_in, tmp_path, url="http://192.0.2.1:8000")
    assert "Load tests go to 127.0.0.1 alone" in (tmp_path / "locust.log").read_text()
