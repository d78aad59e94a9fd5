"""The legal moves of runs and steps, as tables: (status, event) -> status. `docs/lifecycle.md` is made from them."""

from engine.core.statuses import RunStatus, StepStatus

R, S = RunStatus, StepStatus


class InvalidTransition(Exception):
    """An event cannot happen in this status: the journal or the engine is broken."""

    def __init__(self, subject: str, status: str, event: str) -> None:
        super().__init__(f"{subject} is {status}: {event} cannot happen to it")


RUN_MOVES: dict[tuple[RunStatus, str], RunStatus] = {
    (R.QUEUED, "run.held"): R.QUEUED,
    (R.QUEUED, "run.signalled"): R.QUEUED,
    (R.QUEUED, "run.started"): R.RUNNING,
    (R.QUEUED, "run.failed"): R.FAILED,
    (R.QUEUED, "run.cancelled"): R.CANCELLED,
    (R.RUNNING, "run.signalled"): R.RUNNING,
    (R.RUNNING, "run.waiting"): R.WAITING,
    (R.RUNNING, "run.succeeded"): R.SUCCEEDED,
    (R.RUNNING, "run.failed"): R.FAILED,
    (R.RUNNING, "run.cancelled"): R.CANCELLED,
    (R.RUNNING, "run.timed_out"): R.TIMED_OUT,
    (R.WAITING, "run.signalled"): R.WAITING,
    (R.WAITING, "run.resumed"): R.RUNNING,
    (R.WAITING, "run.failed"): R.FAILED,
    (R.WAITING, "run.cancelled"): R.CANCELLED,
    (R.WAITING, "run.timed_out"): R.TIMED_OUT,
    (R.FAILED, "run.retried"): R.QUEUED,
    (R.CANCELLED, "run.retried"): R.QUEUED,
    (R.TIMED_OUT, "run.retried"): R.QUEUED,
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
    (S.RUNNING, "step.waiting"): S.WAITING,
    (S.WAITING, "step.succeeded"): S.SUCCEEDED,
    (S.WAITING, "step.failed"): S.FAILED,
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
    "run.held": {"concurrency": "every slot of its concurrency key is taken"},
    "run.signalled": {"requested": "somebody sent a signal"},
    "run.retried": {"requested": "somebody let it go on from its failed steps"},
    "run.started": {"claimed": "a worker took the run"},
    "run.waiting": {
        "delay": "only delays are left to wait for",
        "signal": "only signals are left to wait for",
        "approval": "only approvals are left to wait for",
        "child": "only runs that it started are left to wait for",
        "several": "things of several kinds are left to wait for",
    },
    "run.resumed": {
        "delay_elapsed": "a delay is over, or a wait has timed out",
        "signalled": "a signal came that a step waited for",
        "decided": "an approval was decided",
        "child_ended": "a run that it started has ended",
    },
    "run.succeeded": {"completed": "every step ended and no failure was left unhandled"},
    "run.failed": {
        "step_failed": "a step failed and nothing handled it",
        "output_error": "the run's output could not be made",
        "invalid_settings": "the run's settings could not be made",
        "concurrency_deadlock": "all slots of its concurrency key are held by runs that wait for it",
        "run_too_large": "its large outputs exceed the limit of a run together",
        "internal_error": "FlowForge could not go on with the run",
        "worker_crashed": "three workers died while they had the run",
    },
    "run.cancelled": {
        "requested": "somebody cancelled the run",
        "concurrency_dropped": "every slot of its concurrency key was taken, and `when_full` is `drop`",
        "concurrency_replaced": "a newer run took its slot, as `when_full` is `cancel_running`",
        "parent_ended": "the run that started it has ended",
    },
    "run.timed_out": {"deadline_passed": "the run's timeout passed"},
    "step.started": {
        "long_running": "an attempt runs for over a second",
        "held_back": "a limit of the worker holds the attempt back for over a second",
        "items": "a `foreach` starts with its items",
    },
    "step.waiting": {
        "delay": "the step is a delay",
        "signal": "the step waits for a signal",
        "approval": "the step waits for a decision",
        "child": "the step waits for the run that it started",
    },
    "step.retrying": {
        "timeout": "the attempt timed out",
        "connection": "the target could not be reached or broke off",
        "status": "the target answered with a status that is retried",
        "error": "the attempt failed in a way that is retried",
    },
    "step.succeeded": {
        "completed": "its work is done",
        "condition_true": "the condition was true",
        "condition_false": "the condition was false",
        "case_matched": "the case is the first one that is true",
        "no_case_matched": "no case is true",
        "delay_elapsed": "the delay is over",
        "signalled": "the signal came",
        "approved": "somebody approved",
        "rejected": "somebody rejected, and a step waits for that",
        "wait_timeout": "nothing came in time, and a step waits for that",
        "child_succeeded": "the run that it started succeeded",
        "items_done": "every item is done",
        "mocked": "its output is given by the test",
        "reused": "its output is taken over from the run that this one repeats",
    },
    "step.failed": {
        "attempts_exhausted": "the last attempt that the retry rule allows failed",
        "not_retryable": "the attempt failed in a way that is not retried",
        "expression_error": "an expression of the step failed",
        "invalid_config": "the step's configuration is wrong once its expressions are filled in",
        "fail_step": "the step is there to fail",
        "item_failed": "an item failed and `on_item_error` is `fail`",
        "output_too_large": "its output is larger than an output may be",
        "approval_rejected": "somebody rejected, and no step waits for that",
        "wait_timeout": "nothing came in time, and no step waits for that",
        "child_refused": "the run could not be started",
        "child_failed": "the run that it started did not succeed",
        "reused": "it failed in the run that this one repeats, and the failure was handled",
    },
    "step.skipped": {
        "port_not_taken": "the port that it waits for was not taken",
        "dependency_skipped": "a step that it waits for was skipped",
        "dependency_failed": "a step that it waits for failed",
        "dependency_succeeded": "it waits for a failure that did not happen",
        "nothing_satisfied": "with `join: any`, no entry of `after` was satisfied",
        "reused": "it was skipped in the run that this one repeats",
    },
    "step.cancelled": {
        "run_failed": "the run failed",
        "run_cancelled": "the run was cancelled",
        "run_timed_out": "the run timed out",
        "item_failed": "another step of its item failed",
        "loop_failed": "another item failed and `on_item_error` is `fail`",
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
