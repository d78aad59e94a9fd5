"""Does the faults: every planned kind once in a seeded order, and then again and again until the time is up."""

import asyncio
import random
import time
from collections.abc import Sequence

from cli.chaos import machine_faults, network_faults, process_faults, server_faults
from cli.chaos.cluster import Cluster
from cli.chaos.faults import Fault, Kill, Scene, Shot
from cli.report import progress

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (*process_faults.FAULTS, *server_faults.FAULTS, *machine_faults.FAULTS, *network_faults.FAULTS)
}
# Those under which nothing that was acknowledged may be lost.
DEFAULT = tuple(name for name, fault in FAULTS.items() if not fault.loses)
# Of each kind, those that show the most in the least time.
SHORT = (
    "kill_worker",
    "blind_worker",
    "kill_relay",
    "kill_api",
    "flush_redis",
    "crash_postgres",
    "drop_connections",
    "lose_answers",
)
CALM_SECONDS = (0.5, 1.5)
# A fault that takes longer than this cannot be done; what it waits for does not come.
FAULT_SECONDS = 150.0
TRIES = 3


class Nemesis:
    """One after the other, with a short calm between. `shots` tells what was done."""

    def __init__(self, cluster: Cluster, faults: Sequence[Fault], *, seed: int, is_long: bool) -> None:
        self._cluster = cluster
        self._faults = list(faults)
        # One for each purpose: how often faults or kills draw depends on the moment, and must not change the order.
        self._order, self._chance, self._kills = (
            random.Random(f"{seed} {purpose}")  # noqa: S311 - one seed, one order: nobody has to guess it
            for purpose in ("order", "chance", "kills")
        )
        self._scene = Scene(cluster, self._chance, is_long=is_long)
        self._began = 0.0
        self.kills: list[Kill] = []
        self.shots: list[Shot] = []
        self.complaints: list[str] = []

    async def run(self, seconds: float) -> None:
        """Go on for so long, and in any case until every kind was done once."""
        self._began = time.monotonic()
        deadline = self._began + seconds
        is_first = True
        try:
            while is_first or time.monotonic() < deadline:
                for fault in self._order.sample(self._faults, k=len(self._faults)):
                    if not is_first and time.monotonic() > deadline:
                        return
                    await asyncio.sleep(self._order.uniform(*CALM_SECONDS))
                    await self._do(fault)
                is_first = False
        finally:
            await self._scene.close()

    async def kill_every(self, seconds: float) -> None:
        """Kill any process every so often, whatever else is being done, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            victim = self._kills.choice([process for process in self._cluster.processes if process.pid])
            victim.kill()
            self.kills.append(Kill(role=victim.role, at=time.time()))

    async def _do(self, fault: Fault) -> None:
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(FAULT_SECONDS):
                    shot = await fault.inject(self._scene)
            except TimeoutError:
                self.complaints.append(f"{fault.name} did not come to its end within {FAULT_SECONDS:.0f} s")
                return
            shot.until = shot.until or time.time()
            if shot.complaint:
                self.complaints.append(f"{fault.name}: {shot.complaint}")
            if shot.has_fired:
                self.shots.append(shot)
                note = f" ({shot.note})" if shot.note else ""
                seconds = time.monotonic() - self._began
                progress(f"{seconds:5.0f} s  {fault.number} {fault.name}: {shot.victim}{note}")
                return


def choose_faults(names: Sequence[str]) -> tuple[list[Fault], dict[str, str]]:
    """The faults of these names, and those among them that cannot be done here, with the reason."""
    chosen = [FAULTS[name] for name in names]
    obstacles = {fault.name: obstacle for fault in chosen if (obstacle := fault.obstacle()) is not None}
    return [fault for fault in chosen if fault.name not in obstacles], obstacles
