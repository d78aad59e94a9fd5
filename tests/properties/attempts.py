"""What a journal itself tells of attempts."""

from typing import Any

from engine.core.events import event_type
from engine.core.observations import BegunAttempt


def find_told(step: str, journal: list[Any]) -> BegunAttempt | None:
    """The attempt that the journal itself tells has begun, and not ended, whoever began it."""
    for event in reversed(journal):
        if getattr(event, "step", None) == step:
            if event_type(event) != "step.started":
                return None
            if event.attempt and event.started_at is not None:
                return BegunAttempt(attempt=event.attempt, started_at=event.started_at, queued_ms=event.queued_ms)
    return None
