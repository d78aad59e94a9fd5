"""What a waiting caller is told, in whatever order and number the hints come."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.errors import Busy
from app.runs.hub import Hints
from app.triggers import answers as module
from app.triggers.answers import Answers, Ended, Responded
from engine.core.events import RunSucceeded, StepSucceeded, encode_event
from engine.infra.ids import new_id
from engine.store.answers import Found

NOW = datetime(2027, 1, 1, tzinfo=UTC)
RUN, OTHER, VERSION = UUID(int=1), UUID(int=2), UUID(int=3)
WORKSPACE, ELSEWHERE = UUID(int=4), UUID(int=5)
RESPONSE = {"status": 201, "headers": {}, "body": "hi"}


class Place:
    """A process that hears hints when the test says so, over journals that the test writes."""

    def __init__(self) -> None:
        self.hints = Hints()
        self.journals: dict[UUID, dict[int, bytes]] = {RUN: {}, OTHER: {}}
        self.draining = asyncio.Event()
        self.answers = Answers(None, self, self.draining)  # type: ignore[arg-type]  # stands in for both

    @contextlib.asynccontextmanager
    async def listen(self, topic: str, *, is_channel: bool) -> AsyncIterator[Hints]:
        assert (topic, is_channel) == ("ff:answers", True)
        yield self.hints

    async def find_answer(self, _pool: Any, run_id: UUID, responding: Iterable[str], *, after: int) -> Found:
        assert set(responding) == {"answer"}
        seqs = sorted(seq for seq in self.journals[run_id] if seq > after)
        return Found(max(seqs, default=after), seqs[0] if seqs else None)

    async def read_event(self, _pool: Any, run_id: UUID, seq: int) -> bytes | None:
        return self.journals[run_id].get(seq)

    async def load_definition(self, _pool: Any, version_id: UUID) -> bytes:
        assert version_id == VERSION
        step = {"id": "answer", "type": "respond"}
        return msgspec.json.encode({"steps": [{"id": "each", "type": "foreach", "steps": [step]}]})

    async def never(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    made = Place()
    # Only hints: nobody looks by the clock.
    monkeypatch.setattr(module, "LOOK_SECONDS", 3600.0)
    for name in ("find_answer", "read_event", "load_definition"):
        monkeypatch.setattr(module, name, getattr(made, name))
    duty = asyncio.create_task(made.answers.run())
    yield made
    duty.cancel()
    await asyncio.gather(duty, return_exceptions=True)


def responded(output: Any = RESPONSE) -> bytes:
    return encode_event(StepSucceeded(at=NOW, step="each[0].answer", output=output))


def succeeded() -> bytes:
    return encode_event(RunSucceeded(at=NOW, output=7, reason="completed"))


@pytest.mark.parametrize("told", [[3], [4], [3, 4], [4, 3]], ids=["answer", "end alone", "in order", "out of order"])
async def test_the_step_that_responded_answers_whichever_hints_come(place: Place, told: list[int]) -> None:
    place.journals[RUN] = {3: responded(), 4: succeeded()}
    with place.answers.expect(RUN, VERSION, WORKSPACE) as answer:
        for seq in told:
            place.hints.put(f"{RUN}:{seq}".encode())
        assert await place.answers.wait(answer, 60, place.never) == Responded(status=201, headers={}, body="hi")


async def test_a_run_that_ends_without_responding_answers_with_its_output(place: Place) -> None:
    place.journals[RUN] = {2: succeeded()}
    with place.answers.expect(RUN, VERSION, WORKSPACE) as answer:
        place.hints.put(f"{RUN}:2".encode())
        assert await place.answers.wait(answer, 60, place.never) == Ended(status="succeeded", output=7)


async def test_what_was_told_before_a_subscription_took_effect_is_looked_for(place: Place) -> None:
    place.journals[RUN] = {2: succeeded()}
    with place.answers.expect(RUN, VERSION, WORKSPACE) as answer:
        place.hints.put(b"")
        assert await place.answers.wait(answer, 60, place.never) == Ended(status="succeeded", output=7)


async def test_an_answer_that_cannot_be_read_fails_its_own_caller_alone(place: Place) -> None:
    place.journals = {RUN: {3: responded({"status": "none"})}, OTHER: {3: responded()}}
    with (
        place.answers.expect(RUN, VERSION, WORKSPACE) as broken,
        place.answers.expect(OTHER, VERSION, ELSEWHERE) as answer,
    ):
        for run_id in (RUN, OTHER):
            place.hints.put(f"{run_id}:3".encode())
        assert isinstance(await place.answers.wait(answer, 60, place.never), Responded)
        with pytest.raises(msgspec.ValidationError):
            await place.answers.wait(broken, 60, place.never)


async def test_hints_of_runs_that_nobody_waits_for_are_passed_over(place: Place) -> None:
    place.journals[RUN] = {2: succeeded()}
    with place.answers.expect(RUN, VERSION, WORKSPACE) as answer:
        place.hints.put(f"{OTHER}:2".encode())
        place.hints.put(f"{RUN}:2".encode())
        assert await place.answers.wait(answer, 60, place.never) is not None


async def test_whoever_hangs_up_waits_no_longer(place: Place) -> None:
    async def hang_up() -> None:
        return

    with place.answers.expect(RUN, VERSION, WORKSPACE) as answer:
        assert await place.answers.wait(answer, 3600, hang_up) is None


async def test_nothing_in_time_is_no_answer(place: Place) -> None:
    with place.answers.expect(RUN, VERSION, WORKSPACE) as answer:
        assert await place.answers.wait(answer, 0.001, place.never) is None


async def test_callers_are_not_kept_beyond_the_end_of_the_process(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.001)
    place.draining.set()
    with place.answers.expect(RUN, VERSION, WORKSPACE) as answer:
        assert await place.answers.wait(answer, 3600, place.never) is None


async def test_more_callers_than_there_is_room_for_are_told_to_come_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    place.answers = Answers(None, place, place.draining)  # type: ignore[arg-type]  # stands in for both

    def expect_both() -> Iterator[None]:
        with place.answers.expect(RUN, VERSION, WORKSPACE), place.answers.expect(OTHER, VERSION, ELSEWHERE):
            yield

    with pytest.raises(Busy):
        next(expect_both())
    with place.answers.expect(OTHER, VERSION, ELSEWHERE):
        pass


async def test_one_workspace_leaves_places_to_the_callers_of_others(place: Place) -> None:
    def expect(workspace_id: UUID) -> bool:
        """Whether one more caller of the workspace's is taken, who then stays."""
        try:
            callers.enter_context(place.answers.expect(new_id(), VERSION, workspace_id))
        except Busy:
            return False
        return True

    with contextlib.ExitStack() as callers:
        taken = sum(expect(WORKSPACE) for _ in range(module.MAX_WAITING))
        assert 0.7 * module.MAX_WAITING < taken < 0.9 * module.MAX_WAITING
        assert not expect(WORKSPACE)
        others = sum(expect(ELSEWHERE) for _ in range(module.MAX_WAITING))
        assert others > 0.1 * module.MAX_WAITING
        assert expect(UUID(int=6))
    with contextlib.ExitStack() as callers:
        # All have gone, and left their places.
        assert sum(expect(ELSEWHERE) for _ in range(module.MAX_WAITING)) == taken
