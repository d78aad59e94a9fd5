"""The attempts of one run that are under way in this worker: which of them have begun, and which are not wanted."""

import asyncio
from collections.abc import Iterable, Sequence

from engine.core.decisions import Decision, StartAttempt, StartChild, StopAttempt
from engine.core.observations import BegunAttempt


class Underway:
    """Attempts by the paths of their steps: their tasks, and those that have begun and may have had their effect."""

    __slots__ = ("_unwanted", "begun", "tasks")

    def __init__(self) -> None:
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.begun: dict[str, BegunAttempt] = {}
        self._unwanted: set[str] = set()

    def __len__(self) -> int:
        return len(self.tasks)

    def end(self, step: str) -> BegunAttempt | None:
        """Forget an attempt that has come to its result; what was known of it."""
        self.tasks.pop(step, None)
        return self.begun.pop(step, None)

    def withdraw(self, decisions: Sequence[Decision]) -> None:
        """Keep what is broken off from beginning: the journal is about to say that it had not, or since when it had."""
        for decision in decisions:
            if isinstance(decision, StopAttempt):
                if decision.step not in self.tasks:
                    # It was decided, but that is not durable yet.
                    self._unwanted.add(decision.step)
                elif decision.step not in self.begun:
                    self.stop([decision.step])

    def wants(self, decision: Decision) -> bool:
        """Whether this is to begin something which has not been broken off since that was decided."""
        return isinstance(decision, StartAttempt | StartChild) and decision.step not in self._unwanted

    def stop(self, steps: Iterable[str]) -> None:
        """Break off the attempts of these steps, but not the one that asks for it."""
        current = asyncio.current_task()
        for step in list(steps):
            task = self.tasks.pop(step, None)
            if task is not None and task is not current:
                task.cancel()

    def stop_all(self) -> None:
        """Break off whatever is under way."""
        self.stop(self.tasks)
