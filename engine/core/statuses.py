"""The statuses of runs and steps."""

from enum import StrEnum


class _Status(StrEnum):
    """A text that hashes as one: Enum's own hash is a Python call, and statuses are looked up in every transition."""

    __hash__ = str.__hash__


class RunStatus(_Status):
    """Where a run stands. The last four are terminal."""

    QUEUED = "queued"  # in: accepted; out: a worker starts it
    RUNNING = "running"  # in: started or resumed; out: it waits or ends
    WAITING = "waiting"  # in: nothing runs and something waits; out: the wait is over or the run ends
    SUCCEEDED = "succeeded"  # in: every step has ended and no failure was left unhandled
    FAILED = "failed"  # in: a failure was left unhandled, or the run's output could not be made
    CANCELLED = "cancelled"  # in: somebody cancelled it
    TIMED_OUT = "timed_out"  # in: the run's own timeout passed


class StepStatus(_Status):
    """Where a step of a run stands. The last four are terminal."""

    PENDING = "pending"  # in: the run exists; out: everything in `after` has settled
    RUNNING = "running"  # in: an attempt started; out: the attempt ends
    WAITING = "waiting"  # in: a delay began; out: it elapsed
    RETRYING = "retrying"  # in: an attempt failed and another is due; out: that attempt starts
    SUCCEEDED = "succeeded"  # in: an attempt or a decision succeeded
    FAILED = "failed"  # in: the last attempt failed, or the step could not be prepared
    SKIPPED = "skipped"  # in: `after` was not satisfied
    CANCELLED = "cancelled"  # in: the run ended before the step did


TERMINAL_RUN = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT})
TERMINAL_STEP = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED})
