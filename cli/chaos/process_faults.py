"""Faults of processes: they die, freeze, are told to stop, block, or live in another time."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cli.chaos.faults import PATIENCE_SECONDS, Fault, Scene, Shot, begin
from cli.chaos.processes import BLOCK_SECONDS, Process
from cli.chaos.waiting import wait_until

# Past the lease of a worker (5 s), so that others take over while it stands still.
FREEZE_SECONDS = 6.5
# So long a relay that was frozen works beside its successor before the next fault.
BESIDE_SECONDS = 1.5
SKEW_SECONDS = 3.0
# Asked for ten times; a clock that is merely wrong goes once as fast.
LEAST_RATE = 5.0
# The library shortens waits as well: what counts is the clock beside the one that it leaves alone.
_PROBE = """
import select, time
began = time.time(), time.monotonic()
while time.monotonic() - began[1] < 0.3:
    select.select([], [], [], 0.1)
print((time.time() - began[0]) / (time.monotonic() - began[1]))
"""
_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


async def _kill_worker(scene: Scene) -> Shot:
    owner = await scene.busiest()
    shot = begin("kill_worker", owner.process.name)
    began = time.monotonic()
    owner.process.kill()
    shot.seconds = await scene.hand_over([owner], began)
    return shot


async def _kill_workers(scene: Scene) -> Shot:
    await scene.busiest()
    owners = await scene.owners()
    shot = begin("kill_workers", "all workers")
    began = time.monotonic()
    for owner in owners:
        owner.process.kill()
    shot.seconds = await scene.hand_over(owners, began)
    for owner in owners:
        await scene.wait_for_worker(owner.process)
    return shot


async def _freeze_worker(scene: Scene) -> Shot:
    owner = await scene.busiest()
    shot = begin("freeze_worker", owner.process.name)
    began = time.monotonic()
    owner.process.send(signal.SIGSTOP)
    try:
        shot.seconds = await scene.hand_over([owner], began)
        shot.complaint = await scene.wait_for_fence(owner)
        await asyncio.sleep(began + FREEZE_SECONDS - time.monotonic())
    finally:
        owner.process.send(signal.SIGCONT)
    await scene.wait_for_worker(owner.process)
    return shot


async def _stop_worker(scene: Scene) -> Shot:
    owner = await scene.busiest()
    shot = begin("stop_worker", owner.process.name)
    ended = asyncio.create_task(owner.process.end(30))
    # Steps in flight end first, under their worker; what counts is from the end on.
    code = await ended
    shot.counts_from = time.time()
    shot.seconds = await scene.hand_over([owner], time.monotonic())
    shot.complaint = _complain_of(owner.process, code)
    await scene.wait_for_worker(owner.process)
    return shot


async def _block_worker(scene: Scene) -> Shot:
    owner = await scene.busiest()
    shot = begin("block_worker", owner.process.name)
    began = time.monotonic()
    owner.process.send(signal.SIGUSR1)
    shot.seconds = await scene.hand_over([owner], began)
    await asyncio.sleep(began + BLOCK_SECONDS - time.monotonic())
    # Where it went on in time, nothing was put to the test.
    shot.has_fired = await scene.is_fenced(owner)
    await scene.wait_for_worker(owner.process)
    return shot


async def _kill_relay(scene: Scene) -> Shot:
    relay = await scene.leading_relay()
    shot = begin("kill_relay", relay.name)
    relay.kill()
    await asyncio.sleep(1.5)
    await scene.leading_relay()
    return shot


async def _freeze_relay(scene: Scene) -> Shot:
    """PostgreSQL ends the session of a relay that says nothing for ten seconds: only then another one can lead."""
    relay = await scene.leading_relay()
    pid = relay.pid
    shot = begin("freeze_relay", relay.name)
    relay.send(signal.SIGSTOP)

    async def has_successor() -> bool:
        return relay.pid != pid or await scene.leading_relay() is not relay

    try:
        if not await wait_until(has_successor, seconds=PATIENCE_SECONDS):
            shot.complaint = f"nobody took over from {relay.name} within {PATIENCE_SECONDS:.0f} s"
        shot.note = f"another one led after {time.time() - shot.at:.1f} s"
    finally:
        relay.send(signal.SIGCONT)
    # Somebody else may have killed it meanwhile.
    shot.has_fired = relay.pid == pid
    await asyncio.sleep(BESIDE_SECONDS)
    return shot


async def _kill_api(scene: Scene) -> Shot:
    api = scene.random.choice(scene.cluster.apis)
    shot = begin("kill_api", api.name)
    api.kill()
    await asyncio.sleep(1.5)
    return shot


async def _stop_api(scene: Scene) -> Shot:
    api = scene.random.choice(scene.cluster.apis)
    shot = begin("stop_api", api.name)
    shot.complaint = _complain_of(api, await api.end(30))
    await wait_until(scene.cluster.are_apis_ready)
    return shot


async def _skew_clock(scene: Scene) -> Shot:
    process = scene.random.choice(scene.cluster.of("worker"))
    return await _skew(scene, "skew_clock", process, ("+3600", "-3600"))


async def _skew_api_clock(scene: Scene) -> Shot:
    # Not back beyond the true time: a token from the future is refused, as it should be.
    return await _skew(scene, "skew_api_clock", scene.random.choice(scene.cluster.apis), ("+1500", "+0"))


async def _rush_clock(scene: Scene) -> Shot:
    shot = await _skew(scene, "rush_clock", scene.random.choice(scene.cluster.of("worker")), ("+0 x10",))
    rate = await _measure_rate(scene.cluster.folder)
    shot.has_fired = shot.has_fired and rate > LEAST_RATE
    shot.note = f"ran {rate:.0f} times as fast"
    return shot


async def _skew(scene: Scene, name: str, process: Process, offsets: Sequence[str]) -> Shot:
    """Let the clock of a process jump while it works; PostgreSQL's stays right."""
    clock = scene.cluster.folder / "clock"
    # From its start on it is a little wrong, so that not even its first answer is dated by a right one.
    clock.write_text("+600\n")
    process.extra = _live_by(clock)
    try:
        complaint = _complain_of(process, await process.end(30))
        await _wait_for(scene, process)
        shot = begin(name, process.name)
        shot.complaint, shot.has_fired = complaint, _is_skewed(process.pid)
        for offset in offsets:
            clock.write_text(f"{offset}\n")
            await asyncio.sleep(SKEW_SECONDS)
        shot.until = time.time()
    finally:
        process.extra = {}
    await process.end(30)
    await _wait_for(scene, process)
    return shot


def _live_by(clock: Path) -> dict[str, str]:
    """What a process finds in its environment whose clock is told by a file."""
    return {
        "LD_PRELOAD": str(_find_library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


async def _measure_rate(folder: Path) -> float:
    """How fast the clock goes by which the victim lived, in a process that has nothing else to do."""
    probe = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROBE, env={**os.environ, **_live_by(folder / "clock")}, stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await probe.communicate()
    return float(answer or 0)


async def _wait_for(scene: Scene, process: Process) -> None:
    if process.role == "worker":
        await scene.wait_for_worker(process)
    else:
        await wait_until(scene.cluster.are_apis_ready)


def _complain_of(process: Process, code: int) -> str:
    return f"{process.name} ended with code {code} when it was told to stop" if code else ""


def _find_library() -> Path | None:
    root = Path("/")
    return next((path for pattern in _LIBRARIES for path in root.glob(pattern[1:])), None)


def _is_skewed(pid: int) -> bool:
    """Whether the process lives by the other clock: it has the library loaded."""
    with contextlib.suppress(OSError):
        return "libfaketime" in (Path("/proc") / str(pid) / "maps").read_text()
    return False


def _needs_library() -> str | None:
    return None if _find_library() else "needs libfaketime (Debian package libfaketime)"


FAULTS = (
    Fault(
        name="kill_worker",
        number="F1",
        text="the busiest worker is killed",
        measure="hand_over",
        goal=3,
        inject=_kill_worker,
    ),
    Fault(
        name="kill_workers",
        number="F1",
        text="all workers are killed at once",
        measure="hand_over",
        goal=20,
        inject=_kill_workers,
    ),
    Fault(
        name="freeze_worker",
        number="F2",
        text="the busiest worker is frozen past its lease, and goes on",
        measure="hand_over",
        goal=10,
        inject=_freeze_worker,
    ),
    Fault(
        name="stop_worker",
        number="F3",
        text="the busiest worker is told to stop",
        measure="hand_over",
        goal=2,
        inject=_stop_worker,
    ),
    Fault(
        name="kill_relay",
        number="F4",
        text="the leading relay is killed",
        measure="late_start",
        goal=5,
        inject=_kill_relay,
    ),
    Fault(
        name="freeze_relay",
        number="F5",
        text="the leading relay is frozen, and goes on beside its successor",
        measure="late_start",
        goal=5,
        inject=_freeze_relay,
    ),
    Fault(name="kill_api", number="F6", text="an API is killed", measure="late_answer", goal=5, inject=_kill_api),
    Fault(
        name="stop_api",
        number="F6",
        text="an API is told to stop",
        measure="late_answer",
        goal=5,
        inject=_stop_api,
    ),
    Fault(
        name="skew_clock",
        number="F19",
        text="the clock of a worker jumps an hour ahead, and two hours back",
        measure="late_start",
        goal=5,
        inject=_skew_clock,
        obstacle=_needs_library,
    ),
    Fault(
        name="rush_clock",
        number="F19",
        text="the clock of a worker goes ten times as fast",
        measure="late_start",
        goal=5,
        inject=_rush_clock,
        obstacle=_needs_library,
    ),
    Fault(
        name="skew_api_clock",
        number="F19",
        text="the clock of an API jumps 25 minutes ahead and back",
        measure="late_answer",
        goal=5,
        inject=_skew_api_clock,
        obstacle=_needs_library,
    ),
    Fault(
        name="block_worker",
        number="F25",
        text="the event loop of the busiest worker stands still past its lease",
        measure="hand_over",
        goal=10,
        inject=_block_worker,
    ),
)
