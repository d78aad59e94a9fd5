"""A queue that workspaces share: whoever has much in it does not hold up who has little."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items are taken from the workspaces in turn, and of each in the order in which they came.

    Workspaces go by their ids as numbers.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[int, deque[Item]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        """All items, by workspace."""
        return (item for line in self._lines.values() for item in line)

    @property
    def workspaces(self) -> list[int]:
        """Those that have something in it, the next one first."""
        return list(self._lines)

    @property
    def next(self) -> int | None:
        """The workspace whose turn it is; None without any."""
        return next(iter(self._lines), None)

    def has(self, workspace: int) -> bool:
        """Whether the workspace has something in it."""
        return workspace in self._lines

    def count(self, workspace: int) -> int:
        """How much the workspace has in it."""
        line = self._lines.get(workspace)
        return 0 if line is None else len(line)

    def first(self, workspace: int) -> Item | None:
        """The workspace's next item, which stays in."""
        line = self._lines.get(workspace)
        return None if line is None else line[0]

    def push(self, workspace: int, item: Item) -> None:
        """Put an item behind the others of its workspace."""
        line = self._lines.get(workspace)
        if line is None:
            line = self._lines[workspace] = deque()
        line.append(item)
        self._count += 1

    def pop(self) -> tuple[int, Item]:
        """Take the next item of the workspace whose turn it is, with the workspace. Raises KeyError without any."""
        workspace, line = self._lines.popitem(last=False)
        item = line.popleft()
        self._count -= 1
        if line:
            # To the end: the others come first now.
            self._lines[workspace] = line
        return workspace, item

    def pop_where(self, may_have: Callable[[int], bool]) -> tuple[int, Item] | None:
        """Take the next item of the first workspace for which that is true; None where it is so for none."""
        for workspace in self._lines:
            if may_have(workspace):
                self._lines.move_to_end(workspace, last=False)
                return self.pop()
        return None

    def discard(self, workspace: int, item: Item) -> None:
        """Take an item out, where it is still in."""
        line = self._lines.get(workspace)
        if line is None or item not in line:
            return
        line.remove(item)
        self._count -= 1
        if not line:
            del self._lines[workspace]

    def drop(self, is_dropped: Callable[[int], bool]) -> None:
        """Take everything out of the workspaces for which that is true."""
        for workspace in [workspace for workspace in self._lines if is_dropped(workspace)]:
            self._count -= len(self._lines.pop(workspace))

    def clear(self) -> None:
        """Take everything out."""
        self._lines.clear()
        self._count = 0
