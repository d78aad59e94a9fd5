"""Whether and when a failed attempt is tried again."""

from datetime import datetime, timedelta

from engine.core.graph import RetryPolicy
from engine.core.observations import AttemptFailed


def next_attempt_at(policy: RetryPolicy, failure: AttemptFailed, *, base: int = 0) -> datetime | None:
    """When the next attempt is due, or None when there is none; `base` attempts belong to earlier rounds of the run.

    A target's `Retry-After` is honoured where it asks for more than the rule's own wait.
    """
    made = failure.attempt - base
    if made >= policy.max_attempts or not is_retried(policy, failure):
        return None
    wait = policy.wait_seconds(made, failure.jitter)
    return failure.at + timedelta(seconds=max(wait, failure.retry_after_seconds or 0.0))


def is_retried(policy: RetryPolicy, failure: AttemptFailed) -> bool:
    """Whether this kind of failure is tried again: by `retry.on` where it is given, else as the step says."""
    if policy.on is None:
        return failure.is_retryable
    status = failure.error.status
    if failure.cause in policy.on or status in policy.on:
        return True
    if status is None or failure.cause != "status":
        return False
    return ("429" in policy.on and status == 429) or ("5xx" in policy.on and 500 <= status <= 599)  # noqa: PLR2004 - HTTP status classes
