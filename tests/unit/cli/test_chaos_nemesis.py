"""The nemesis: its order is the seed's, and what hits nothing does not count as done."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

import pytest

from cli.chaos import nemesis
from cli.chaos.cluster import Cluster
from cli.chaos.faults import Fault, Scene, Shot, begin
from cli.chaos.nemesis import TRIES, Nemesis
from cli.chaos.reading import LIVE, READY, find_fault
from cli.chaos.report import write_text
from cli.chaos.runner import find_failures
from tests.unit.cli.test_chaos_goals import make_report

NAMES = [f"fault_{number}" for number in range(8)]
ROUNDS = 3


@pytest.fixture(autouse=True)
def no_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nemesis, "CALM_SECONDS", (0.0, 0.0))


def make(fault: Fault, *more: Fault, seed: int = 7) -> Nemesis:
    return Nemesis(cast("Cluster", SimpleNamespace(processes=[])), [fault, *more], seed=seed, is_long=False)


def make_fault(name: str, done: list[str], *, draws: int = 0, has_fired: bool = True) -> Fault:
    """A fault that takes part in nothing but this list, and draws so often."""

    async def inject(scene: Scene) -> Shot:
        done.append(name)
        for _ in range(draws):
            scene.random.random()
        shot = begin(name, "it")
        shot.has_fired = has_fired
        return shot

    return Fault(name=name, number="F0", text="", measure="first_commit", goal=1, inject=inject)


async def order_of(seed: int, draws: Mapping[str, int]) -> list[str]:
    done: list[str] = []
    running = asyncio.create_task(
        make(*(make_fault(name, done, draws=draws[name]) for name in NAMES), seed=seed).run(60)
    )
    while len(done) < ROUNDS * len(NAMES):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return done[: ROUNDS * len(NAMES)]


async def test_a_seed_gives_one_order_however_often_the_faults_draw() -> None:
    few, many = dict.fromkeys(NAMES, 0), {name: place * 5 % 7 for place, name in enumerate(NAMES)}
    assert await order_of(7, few) == await order_of(7, many)
    assert await order_of(7, few) != await order_of(8, few)


async def test_each_kind_is_done_once_even_where_there_is_no_time() -> None:
    done: list[str] = []
    working = make(*(make_fault(name, done) for name in NAMES))
    await working.run(0)
    assert sorted(done) == NAMES
    assert [shot.fault for shot in working.shots] == done


async def test_what_hits_nothing_is_tried_again_and_does_not_count() -> None:
    done: list[str] = []
    working = make(make_fault("vain", done, has_fired=False))
    await working.run(0)
    assert done == ["vain"] * TRIES
    assert working.shots == []


def test_a_kind_that_never_happened_fails_the_run() -> None:
    report = make_report()
    assert find_failures(report) == []
    report.recoveries[0].fired = 0
    assert find_failures(report) == ["kill_api never happened"]


def test_a_run_of_which_nothing_was_read_or_accepted_fails() -> None:
    assert find_failures(make_report(reads={"none": 9}, queue={"acked": 0})) == [
        "nothing was accepted",
        "nothing was read",
    ]


def test_what_cannot_be_done_here_is_named_with_the_verdict() -> None:
    told = write_text(make_report(obstacles={"fill_disk": "needs Linux"})).splitlines()
    assert told[-1] == "passed, but for fill_disk, which cannot be done here"
    assert write_text(make_report()).splitlines()[-1] == "passed"


@pytest.mark.parametrize(
    ("path", "status", "headers", "code", "fault"),
    [
        pytest.param("/v1/runs", 200, {}, "", None, id="fine"),
        pytest.param("/v1/runs", 503, {"retry-after": "1"}, "database_unavailable", None, id="told to come back"),
        pytest.param("/v1/runs", 503, {}, "database_unavailable", " without Retry-After", id="not told when"),
        pytest.param("/v1/runs", 503, {"retry-after": "1"}, "redis_unavailable", " for the sake of Redis", id="Redis"),
        pytest.param("/v1/runs", 500, {}, "internal_error", "", id="a fault"),
        pytest.param("/v1/runs", 404, {}, "not_found", "", id="lost"),
        pytest.param(READY, 503, {}, "", None, id="not ready"),
        pytest.param(READY, 500, {}, "", "", id="readiness that fails"),
        pytest.param(LIVE, 503, {"retry-after": "1"}, "database_unavailable", "", id="alive and says no"),
    ],
)
def test_what_must_not_be_answered_to_a_read_is_noticed(
    path: str, status: int, headers: dict[str, str], code: str, fault: str | None
) -> None:
    assert find_fault(path, status, headers, f'{{"code": "{code}"}}'.encode()) == fault
