"""Limits for each target: who waits for a slow one holds nothing that others need."""

from engine.core.decisions import StartAttempt
from engine.steps.registry import get_action
from engine.worker.fair_slots import FairSlots


class TargetSlots:
    """At most `limit` attempts at a time for each target (`host:port`), its workspaces in turn.

    An attempt waits here before it takes anything else of the worker, and before its timeout begins.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # With how many use it or wait for it: a target that nobody calls is forgotten.
        self._targets: dict[str, tuple[FairSlots, int]] = {}

    def __len__(self) -> int:
        """How many targets are being called."""
        return len(self._targets)

    async def take(self, start: StartAttempt, workspace: int) -> str | None:
        """Take a slot of the target that the attempt is going to call; None where it calls none that is known."""
        target = _find_target(start)
        if target is None:
            return None
        slots, users = self._targets.get(target) or (FairSlots(self._limit, keeps_reserve=False), 0)
        self._targets[target] = slots, users + 1
        if not slots.take_now(workspace):
            try:
                await slots.take(workspace)
            except BaseException:
                self._leave(target)
                raise
        return target

    def give_back(self, target: str, workspace: int) -> None:
        """Leave the slot to whoever is next at this target."""
        self._targets[target][0].give_back(workspace)
        self._leave(target)

    def _leave(self, target: str) -> None:
        slots, users = self._targets[target]
        if users == 1:
            del self._targets[target]
        else:
            self._targets[target] = slots, users - 1


def _find_target(start: StartAttempt) -> str | None:
    try:
        return get_action(start.type).find_target(start.config)
    except Exception:
        # What is wrong with it, the attempt itself tells.
        return None
