"""Which failures are tried again, and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.core.events import ErrorInfo
from engine.core.graph import RetryPolicy
from engine.core.observations import AttemptFailed
from engine.core.retry import is_retried, next_attempt_at

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def policy(**changes: Any) -> RetryPolicy:
    values: dict[str, Any] = {
        "max_attempts": 4,
        "initial": 1.0,
        "factor": 2.0,
        "max": 60.0,
        "jitter": False,
        "on": None,
        **changes,
    }
    return RetryPolicy(**values)


def failure(**changes: Any) -> AttemptFailed:
    status = changes.pop("status", None)
    values: dict[str, Any] = {"attempt": 1, "is_retryable": True, "cause": "connection", **changes}
    error = ErrorInfo(code="x", message="x", status=status)
    return AttemptFailed(at=NOW, step="a", error=error, started_at=NOW, **values)


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [pytest.param(1, 1, id="first"), pytest.param(2, 2, id="second"), pytest.param(3, 4, id="third")],
)
def test_waits_grow_by_the_factor(attempt: int, seconds: float) -> None:
    assert next_attempt_at(policy(), failure(attempt=attempt)) == NOW + timedelta(seconds=seconds)


def test_a_wait_is_never_above_the_maximum() -> None:
    assert policy(max_attempts=100, factor=100.0).wait_seconds(99, 0.0) == 60.0


def test_jitter_spreads_the_whole_wait() -> None:
    assert [policy(jitter=True).wait_seconds(3, jitter) for jitter in (0.0, 0.5)] == [0.0, 2.0]


def test_the_last_attempt_is_not_repeated() -> None:
    assert next_attempt_at(policy(), failure(attempt=4)) is None


def test_the_target_may_ask_for_a_longer_wait_but_not_for_a_shorter_one() -> None:
    assert next_attempt_at(policy(), failure(retry_after_seconds=30.0)) == NOW + timedelta(seconds=30)
    assert next_attempt_at(policy(initial=10.0), failure(retry_after_seconds=0.0)) == NOW + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("on", "cause", "status", "expected"),
    [
        pytest.param(None, "status", 404, True, id="the step decides"),
        pytest.param({"timeout"}, "timeout", None, True, id="named cause"),
        pytest.param({"timeout"}, "connection", None, False, id="other cause"),
        pytest.param({"5xx"}, "status", 503, True, id="class"),
        pytest.param({"5xx"}, "status", 429, False, id="outside the class"),
        pytest.param({"429"}, "status", 429, True, id="429"),
        pytest.param({418}, "status", 418, True, id="single status"),
        pytest.param(set(), "timeout", None, False, id="nothing"),
    ],
)
def test_retry_on_selects(on: set[Any] | None, cause: str, status: int | None, expected: bool) -> None:
    chosen = policy(on=None if on is None else frozenset(on))
    assert is_retried(chosen, failure(cause=cause, status=status)) is expected
