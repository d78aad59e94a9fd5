"""Faults by a script: this statement fails, in this way, once."""

import asyncio


class Script:
    """What is to fail next: any statement, or the next one that contains a fragment."""

    def __init__(self) -> None:
        self._planned: list[tuple[str, str]] = []
        self.failed = asyncio.Event()

    def fail_next(self, fault: str, fragment: str = "") -> None:
        """Let the next statement that contains `fragment` fail; connections only where the fault is one of theirs."""
        self.failed.clear()
        self._planned.append((fault, fragment))

    def draw(self, faults: tuple[str, ...], statement: str) -> str | None:
        """The seam's question."""
        for planned in self._planned:
            fault, fragment = planned
            if fault in faults and fragment in statement:
                self._planned.remove(planned)
                self.failed.set()
                return fault
        return None
