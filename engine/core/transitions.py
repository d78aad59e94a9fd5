"""The legal moves of runs and steps, as tables: (status, event) -> status. `docs/lifecycle.md` is made from them."""

from engine.core.statuses import RunStatus, StepStatus

R, S = RunStatus, StepStatus


class InvalidTransition(Exception):
    """An event cannot happen in this status: the journal or the engine is broken."""

    def __init__(self, subject: str, status: str, event: str) -> None:
        super().__init__(f"{subject} is {status}: {event} cannot happen to it")


RUN_MOVES: dict[tuple[RunStatus, str], RunStatus] = {
    (R.QUEUED, "run.started"): R.RUNNING,
    (R.QUEUED, "run.failed"): R.FAILED,
    (R.QUEUED, "run.cancelled"): R.CANCELLED,
    (R.RUNNING, "run.waiting"): R.WAITING,
    (R.RUNNING, "run.succeeded"): R.SUCCEEDED,
    (R.RUNNING, "run.failed"): R.FAILED,
    (R.RUNNING, "run.cancelled"): R.CANCELLED,
    (R.RUNNING, "run.timed_out"): R.TIMED_OUT,
    (R.WAITING, "run.resumed"): R.RUNNING,
    (R.WAITING, "run.failed"): R.FAILED,
    (R.WAITING, "run.cancelled"): R.CANCELLED,
    (R.WAITING, "run.timed_out"): R.TIMED_OUT,
}

STEP_MOVES: dict[tuple[StepStatus, str], StepStatus] = {
    (S.PENDING, "step.started"): S.RUNNING,
    (S.PENDING, "step.waiting"): S.WAITING,
    (S.PENDING, "step.retrying"): S.RETRYING,
    (S.PENDING, "step.succeeded"): S.SUCCEEDED,
    (S.PENDING, "step.failed"): S.FAILED,
    (S.PENDING, "step.skipped"): S.SKIPPED,
    (S.PENDING, "step.cancelled"): S.CANCELLED,
    (S.RUNNING, "step.started"): S.RUNNING,
    (S.RUNNING, "step.retrying"): S.RETRYING,
    (S.RUNNING, "step.succeeded"): S.SUCCEEDED,
    (S.RUNNING, "step.failed"): S.FAILED,
    (S.RUNNING, "step.cancelled"): S.CANCELLED,
    (S.WAITING, "step.succeeded"): S.SUCCEEDED,
    (S.WAITING, "step.cancelled"): S.CANCELLED,
    (S.RETRYING, "step.started"): S.RUNNING,
    (S.RETRYING, "step.retrying"): S.RETRYING,
    (S.RETRYING, "step.succeeded"): S.SUCCEEDED,
    (S.RETRYING, "step.failed"): S.FAILED,
    (S.RETRYING, "step.cancelled"): S.CANCELLED,
}

# Every reason code that an event may carry, and what it says.
REASONS: dict[str, dict[str, str]] = {
    "run.queued": {"accepted": "the start was committed"},
    "run.started": {"claimed": "a worker took the run"},
    "run.waiting": {"delay": "only delays are left to wait for"},
    "run.resumed": {"delay_elapsed": "a delay is over"},
    "run.succeeded": {"completed": "every step ended and no failure was left unhandled"},
    "run.failed": {
        "step_failed": "a step failed and nothing handled it",
        "output_error": "the run's output could not be made",
        "invalid_settings": "the run's settings could not be made",
        "internal_error": "FlowForge could not go on with the run",
        "worker_crashed": "three workers died while they had the run",
    },
    "run.cancelled": {"requested": "somebody cancelled the run"},
    "run.timed_out": {"deadline_passed": "the run's timeout passed"},
    "step.started": {
        "long_running": "an attempt runs for over a second",
        "held_back": "a limit of the worker holds the attempt back for over a second",
    },
    "step.waiting": {"delay": "the step is a delay"},
    "step.retrying": {
        "timeout": "the attempt timed out",
        "connection": "the target could not be reached or broke off",
        "status": "the target answered with a status that is retried",
        "error": "the attempt failed in a way that is retried",
    },
    "step.succeeded": {
        "completed": "an attempt succeeded",
        "condition_true": "the condition was true",
        "condition_false": "the condition was false",
        "delay_elapsed": "the delay is over",
    },
    "step.failed": {
        "attempts_exhausted": "the last attempt that the retry rule allows failed",
        "not_retryable": "the attempt failed in a way that is not retried",
        "expression_error": "an expression of the step failed",
        "invalid_config": "the step's configuration is wrong once its expressions are filled in",
    },
    "step.skipped": {
        "port_not_taken": "the port that it waits for was not taken",
        "dependency_skipped": "a step that it waits for was skipped",
        "dependency_failed": "a step that it waits for failed",
        "dependency_succeeded": "it waits for a failure that did not happen",
        "nothing_satisfied": "with `join: any`, no entry of `after` was satisfied",
    },
    "step.cancelled": {
        "run_failed": "the run failed",
        "run_cancelled": "the run was cancelled",
        "run_timed_out": "the run timed out",
    },
}


def move_run(status: RunStatus, event: str) -> RunStatus:
    """The status after the event; raises InvalidTransition."""
    try:
        return RUN_MOVES[status, event]
    except KeyError:
        raise InvalidTransition("the run", status, event) from None


def move_step(step_id: str, status: StepStatus, event: str) -> StepStatus:
    """The status after the event; raises InvalidTransition."""
    try:
        return STEP_MOVES[status, event]
    except KeyError:
        raise InvalidTransition(f"step {step_id}", status, event) from None
