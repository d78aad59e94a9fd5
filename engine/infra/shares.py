"""How places are divided among workspaces: a flood takes most of them, never all."""

from collections.abc import Mapping

TIMES_FREE = 4


class Shares:
    """`limit` places. A workspace may take one while it holds less than so many times what is free.

    One workspace that takes all it can get leaves a fifth free, and the next one a fifth of that. Whoever holds little
    comes before whoever holds much: it may take what others give back, until all that want many hold equally many.
    Workspaces go by their ids as numbers.
    """

    def __init__(self, limit: int, *, keeps_reserve: bool = True) -> None:
        """Without a reserve, one workspace may take all."""
        self._times_free = TIMES_FREE if keeps_reserve else limit
        self.limit = limit
        self.free = limit
        self._held: dict[int, int] = {}

    def may_take(self, workspace: int) -> bool:
        """Whether the workspace may take a place now."""
        return self._held.get(workspace, 0) < self._times_free * self.free

    def take(self, workspace: int) -> None:
        """Take a place, whether the workspace may or not: who goes beyond the limit owes it."""
        self.free -= 1
        self._held[workspace] = self._held.get(workspace, 0) + 1

    def give_back(self, workspace: int) -> None:
        """Leave a place to whoever takes it next."""
        self.free += 1
        held = self._held[workspace] - 1
        if held:
            self._held[workspace] = held
        else:
            del self._held[workspace]

    @property
    def held(self) -> Mapping[int, int]:
        """How many places each workspace holds."""
        return self._held

    def full(self) -> list[int]:
        """The workspaces that hold something and may take nothing more."""
        return [workspace for workspace, held in self._held.items() if held >= self._times_free * self.free]
