"""The statuses of runs and steps."""

from enum import StrEnum


class _Status(StrEnum):
    """A text that hashes as one: Enum's own hash is a Python call, and statuses are looked up in every transition."""

    __hash__ = str.__hash__


class RunStatus(_Status):
    """Where a run stands. The last four are terminal."""

    QUEUED = "queued"  # in: accepted, or retried after its end; out: a worker starts it, or it ends before that
    RUNNING = "running"  # in: started or resumed; out: it waits or ends
    WAITING = "waiting"  # in: nothing runs and something waits; out: the wait is over or the run ends
    SUCCEEDED = "succeeded"  # in: every step has ended and no failure was left unhandled
    FAILED = "failed"  # in: a failure was left unhandled, its output could not be made, or it cannot go on
    CANCELLED = "cancelled"  # in: somebody cancelled it, or a rule did
    TIMED_OUT = "timed_out"  # in: the run's own timeout passed


class StepStatus(_Status):
    """Where a step of a run stands. The last four are terminal."""

    PENDING = "pending"  # in: the run exists; out: everything in `after` has settled
    RUNNING = "running"  # in: an attempt started, or the items of a loop did; out: they end
    WAITING = "waiting"  # in: it waits for a time, a signal, a person or a run; out: that comes, or the run ends
    RETRYING = "retrying"  # in: an attempt failed and another is due; out: that attempt starts
    SUCCEEDED = "succeeded"  # in: an attempt or a decision succeeded
    FAILED = "failed"  # in: its last attempt, what it waited for or an item failed, or it could not be prepared
    SKIPPED = "skipped"  # in: `after` was not satisfied
    CANCELLED = "cancelled"  # in: the run ended before the step did


TERMINAL_RUN = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT})
TERMINAL_STEP = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED})
