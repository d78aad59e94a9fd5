"""Faults of the network between processes and servers, by the proxies that stand there."""

import asyncio
import time
from collections.abc import Sequence

from cli.chaos.faults import Fault, Owner, Scene, Shot, begin
from cli.chaos.processes import Process

# Past the lease of a worker (5 s).
PARTITION_SECONDS = 7.5
REFUSAL_SECONDS = 1.5
LATENCY_SECONDS = 0.08
SLOW_SECONDS = 3.0
# In a row, so that the repeat of a commit whose answer was lost may lose its answer as well.
LOST_IN_A_ROW = 2
PATIENCE_SECONDS = 3.0


async def _partition_worker(scene: Scene) -> Shot:
    owner = await scene.busiest()
    shot = begin("partition_worker", owner.process.name)
    owner.process.postgres.swallow()
    owner.process.redis.swallow()
    return await _heal_after(scene, owner, shot)


async def _mute_worker(scene: Scene) -> Shot:
    owner = await scene.busiest()
    shot = begin("mute_worker", owner.process.name)
    owner.process.postgres.mute()
    return await _heal_after(scene, owner, shot)


async def _blind_worker(scene: Scene) -> Shot:
    # It can still write, and does: only the fence stands between it and the runs that are now another one's.
    owner = await scene.busiest()
    shot = begin("blind_worker", owner.process.name)
    owner.process.postgres.swallow("flowforge-worker-lease")
    return await _heal_after(scene, owner, shot)


async def _heal_after(scene: Scene, owner: Owner, shot: Shot) -> Shot:
    began = time.monotonic()
    try:
        shot.seconds = await scene.hand_over([owner], began)
        shot.complaint = await scene.wait_for_fence(owner)
        await asyncio.sleep(began + PARTITION_SECONDS - time.monotonic())
    finally:
        await owner.process.postgres.restore()
        await owner.process.redis.restore()
    await scene.wait_for_worker(owner.process)
    return shot


async def _lose_answers(scene: Scene) -> Shot:
    """Let commits of a worker, an API and the relay be done and their answers be lost: the journal's, then any."""
    api = scene.random.choice(scene.cluster.apis)
    worker, relay = (await scene.busiest()).process, await scene.leading_relay()
    shot = begin("lose_answers", f"{worker.name}, {api.name}, {relay.name}")
    first = await _lose(((worker, "flowforge-worker-journal"), (api, "flowforge-api-ingest")))
    then = await _lose(((worker, "flowforge-worker"), (api, "flowforge-api"), (relay, "flowforge-relay")))
    shot.counts_from, shot.has_fired = time.time(), all(first)
    shot.note = f"{sum(first)} answers to commits were lost, and {sum(then)} others"
    return shot


async def _lose(victims: Sequence[tuple[Process, str]]) -> list[int]:
    """Lose answers of connections of these names; how many of each."""
    before = [process.postgres.dropped for process, _ in victims]
    for process, name in victims:
        process.postgres.drop_answers(LOST_IN_A_ROW, name)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lost = [process.postgres.dropped - count for (process, _), count in zip(victims, before, strict=True)]
        if min(lost) >= LOST_IN_A_ROW or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.02)
    for process, _ in victims:
        await process.postgres.restore()
    return lost


async def _refuse_connections(scene: Scene) -> Shot:
    """Cut a process off from both servers, which it sees as refused connections."""
    process = scene.random.choice(scene.cluster.processes)
    shot = begin("refuse_connections", process.name)
    await process.postgres.refuse()
    await process.redis.refuse()
    await asyncio.sleep(REFUSAL_SECONDS)
    await process.postgres.restore()
    await process.redis.restore()
    shot.counts_from = time.time()
    shot.seconds = await scene.come_back(process, shot.counts_from)
    return shot


async def _slow_network(scene: Scene) -> Shot:
    shot = begin("slow_network", "all processes")
    for process in scene.cluster.processes:
        process.postgres.slow_down(LATENCY_SECONDS)
        process.redis.slow_down(LATENCY_SECONDS)
    await asyncio.sleep(SLOW_SECONDS)
    for process in scene.cluster.processes:
        await process.postgres.restore()
        await process.redis.restore()
    return shot


FAULTS = (
    Fault(
        name="refuse_connections",
        number="F13",
        text="a process is cut off from both servers, which refuse it",
        measure="come_back",
        goal=2,
        inject=_refuse_connections,
    ),
    Fault(
        name="partition_worker",
        number="F17",
        text="the busiest worker is cut off in silence, past its lease",
        measure="hand_over",
        goal=10,
        inject=_partition_worker,
    ),
    Fault(
        name="mute_worker",
        number="F17",
        text="the busiest worker gets no answers from PostgreSQL, past its lease",
        measure="hand_over",
        goal=10,
        inject=_mute_worker,
    ),
    Fault(
        name="blind_worker",
        number="F17",
        text="the busiest worker cannot renew its lease, and goes on writing",
        measure="hand_over",
        goal=10,
        inject=_blind_worker,
    ),
    Fault(
        name="lose_answers",
        number="F18",
        text="commits are done and their answers are lost",
        measure="first_commit",
        goal=2,
        inject=_lose_answers,
    ),
    Fault(
        name="slow_network",
        number="F17",
        text="every message between processes and servers takes 80 ms longer",
        measure="late_start",
        goal=5,
        inject=_slow_network,
    ),
)
