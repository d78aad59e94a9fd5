"""`advance`: the one function that moves a run on."""

from datetime import datetime, timedelta
from typing import Any, assert_never

from engine.core.control import decide_control_step
from engine.core.decisions import Decision, Ignore, Record, StartAttempt, StopAttempt
from engine.core.definition import DEFAULT_RUN_TIMEOUT_SECONDS
from engine.core.events import (
    ErrorInfo,
    RunCancelled,
    RunEvent,
    RunFailed,
    RunResumed,
    RunStarted,
    RunSucceeded,
    RunTimedOut,
    RunWaiting,
    StepCancelled,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from engine.core.expressions import ExpressionError
from engine.core.failures import describe_expression_error
from engine.core.graph import ERROR_PORT, Graph, Node
from engine.core.observations import (
    AttemptFailed,
    AttemptOngoing,
    AttemptSucceeded,
    CancelRequested,
    Observation,
    RunClaimed,
    TimePassed,
)
from engine.core.retry import is_retried, next_attempt_at
from engine.core.state import RUN_DEADLINE, State, apply_event, is_satisfied, start_attempt
from engine.core.statuses import TERMINAL_STEP, RunStatus, StepStatus


def advance(graph: Graph, state: State, observation: Observation) -> tuple[State, list[Decision]]:
    """Move the run on by what happened outside; the state is changed in place and returned.

    The decisions are in order. All events among them belong in one transaction, before any attempt starts.
    A stale or repeated observation changes nothing and gives one `Ignore`.
    """
    if state.is_over:
        return state, [Ignore(reason=f"the run is {state.status}")]
    step = _Step(graph, state, max(observation.at, state.latest_at))
    step.observe(observation)
    step.settle()
    return state, step.decisions


class _Step:
    """One call of `advance`: the run, the moment, and the decisions so far."""

    def __init__(self, graph: Graph, state: State, at: datetime) -> None:
        self.graph = graph
        self.state = state
        self.at = at
        self.decisions: list[Decision] = []

    def record(self, event: RunEvent) -> None:
        apply_event(self.graph, self.state, event)
        self.decisions.append(Record(event))

    def observe(self, observation: Observation) -> None:
        match observation:
            case RunClaimed():
                self._claim(observation)
            case AttemptOngoing() | AttemptSucceeded() | AttemptFailed():
                self._observe_attempt(observation)
            case TimePassed():
                self._pass_time()
            case CancelRequested():
                self._end(RunCancelled(at=self.at, by=observation.by), "run_cancelled")
            case _:
                assert_never(observation)

    def settle(self) -> None:
        """Decide every step whose turn has come, then the run itself."""
        state = self.state
        while state.unresolved and not state.is_over and state.unhandled is None:
            self._resolve(self.graph.nodes[state.unresolved.popleft()])
        if state.is_over:
            return
        if state.unhandled is not None:
            self._fail_run(self.graph.nodes[state.unhandled])
        elif not state.unfinished:
            self._finish()
        elif state.status is RunStatus.RUNNING and not state.active and state.waiting:
            self.record(RunWaiting(at=self.at, wake_at=state.next_due() or self.at, reason="delay"))
        elif state.status is RunStatus.WAITING and state.active:
            self.record(RunResumed(at=self.at, reason="delay_elapsed"))

    def _claim(self, claimed: RunClaimed) -> None:
        if self.state.status is RunStatus.QUEUED:
            self._start(claimed.vars)
            return
        for node in self.graph.nodes:
            if self.state.steps[node.index].status is StepStatus.RUNNING:
                self._start_attempt(node)

    def _start(self, variables: dict[str, Any]) -> None:
        seconds: Any = DEFAULT_RUN_TIMEOUT_SECONDS
        problem: ErrorInfo | None = None
        if self.graph.timeout is not None:
            try:
                seconds = self.graph.timeout.render(self.state.scope | {"vars": variables})
            except ExpressionError as error:
                problem = describe_expression_error(error)
        if problem is None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0):
            problem = ErrorInfo(code="invalid_settings", message="settings.timeout is not a number of seconds above 0")
        if problem is not None:
            seconds = DEFAULT_RUN_TIMEOUT_SECONDS
        seconds = min(seconds, 10 * 365 * 86_400)
        deadline_at = self.at + timedelta(seconds=seconds)
        self.record(RunStarted(at=self.at, deadline_at=deadline_at, vars=variables))
        if problem is not None:
            self._end(RunFailed(at=self.at, error=problem, reason="invalid_settings"), "run_failed")

    def _observe_attempt(self, observation: AttemptOngoing | AttemptSucceeded | AttemptFailed) -> None:
        index = self.graph.index_by_id.get(observation.step)
        run_step = None if index is None else self.state.steps[index]
        if run_step is None or run_step.status is not StepStatus.RUNNING or run_step.attempt != observation.attempt:
            self.decisions.append(Ignore(reason=f"attempt {observation.attempt} of {observation.step} is not running"))
            return
        match observation:
            case AttemptOngoing(step=step, attempt=attempt, started_at=started_at):
                reason = "long_running" if started_at else "held_back"
                self.record(StepStarted(at=self.at, step=step, attempt=attempt, started_at=started_at, reason=reason))
            case AttemptSucceeded():
                self.record(
                    StepSucceeded(
                        at=self.at,
                        step=observation.step,
                        attempt=observation.attempt,
                        output=observation.output,
                        started_at=observation.started_at,
                        queued_ms=observation.queued_ms,
                    )
                )
            case AttemptFailed():
                self._fail_attempt(self.graph.nodes[self.graph.index_by_id[observation.step]], observation)
            case _:
                assert_never(observation)

    def _fail_attempt(self, node: Node, failure: AttemptFailed) -> None:
        retry_at = None if node.retry is None else next_attempt_at(node.retry, failure)
        common: dict[str, Any] = {
            "at": self.at,
            "step": node.id,
            "attempt": failure.attempt,
            "error": failure.error,
            "started_at": failure.started_at,
            "queued_ms": failure.queued_ms,
        }
        if retry_at is not None:
            self.record(StepRetrying(**common, retry_at=retry_at, reason=failure.cause or "error"))
            return
        retried = node.retry is not None and is_retried(node.retry, failure)
        self.record(StepFailed(**common, reason="attempts_exhausted" if retried else "not_retryable"))

    def _pass_time(self) -> None:
        while not self.state.is_over and (index := self.state.pop_due(self.at)) is not None:
            if index == RUN_DEADLINE:
                error = ErrorInfo(code="run_timed_out", message="the run did not end within its timeout")
                self._end(RunTimedOut(at=self.at, error=error), "run_timed_out")
                return
            node = self.graph.nodes[index]
            if self.state.steps[index].status is StepStatus.RETRYING:
                self._start_attempt(node)
            else:
                self.record(StepSucceeded(at=self.at, step=node.id, output=None, reason="delay_elapsed"))

    def _resolve(self, node: Node) -> None:
        """Start the step or skip it: everything that it waits for has settled."""
        step = self.state.steps[node.index]
        if step.status is not StepStatus.PENDING:
            return
        if node.after and (not step.satisfied if node.join_any else step.satisfied < len(node.after)):
            self.record(self._skip(node))
        elif node.is_control:
            self.record(decide_control_step(node, self.state.scope, self.at))
        else:
            self._start_attempt(node)

    def _skip(self, node: Node) -> StepSkipped:
        source, port = next(entry for entry in node.after if not is_satisfied(self.state, *entry))
        status = self.state.steps[source].status
        entry = self.graph.nodes[source].id + (f".{port}" if port else "")
        if node.join_any:
            reason = "nothing_satisfied"
        elif status is StepStatus.SKIPPED:
            reason = "dependency_skipped"
        elif status is StepStatus.FAILED:
            reason = "dependency_failed"
        else:
            reason = "dependency_succeeded" if port == ERROR_PORT else "port_not_taken"
        return StepSkipped(at=self.at, step=node.id, because=entry, reason=reason)

    def _start_attempt(self, node: Node) -> None:
        try:
            config = node.config.render(self.state.scope)
        except ExpressionError as error:
            info = describe_expression_error(error)
            self.record(StepFailed(at=self.at, step=node.id, error=info, reason="expression_error"))
            return
        step = start_attempt(self.state, node)
        self.decisions.append(
            StartAttempt(
                step=node.id,
                type=node.type,
                attempt=step.attempt,
                config=config,
                timeout=node.timeout,
                decided_at=self.at,
            )
        )

    def _finish(self) -> None:
        self._leave_waiting("delay_elapsed")
        output: Any = None
        if self.graph.output is not None:
            try:
                output = self.graph.output.render(self.state.scope, null_safe=True)
            except ExpressionError as error:
                info = describe_expression_error(error, code="output_error")
                self.record(RunFailed(at=self.at, error=info, reason="output_error"))
                return
        self.record(RunSucceeded(at=self.at, output=output, reason="completed"))

    def _fail_run(self, node: Node) -> None:
        failed = self.state.scope["steps"][node.id]["error"]
        error = ErrorInfo(code=failed["code"], message=failed["message"], status=failed.get("status"), step=node.id)
        self._leave_waiting("delay_elapsed")
        self._end(RunFailed(at=self.at, error=error, reason="step_failed"), "run_failed")

    def _leave_waiting(self, reason: str) -> None:
        if self.state.status is RunStatus.WAITING:
            self.record(RunResumed(at=self.at, reason=reason))

    def _end(self, event: RunFailed | RunCancelled | RunTimedOut, reason: str) -> None:
        """Cancel what has not ended, then end the run."""
        for node in self.graph.nodes:
            status = self.state.steps[node.index].status
            if status in TERMINAL_STEP:
                continue
            if status is StepStatus.RUNNING:
                self.decisions.append(StopAttempt(step=node.id))
            self.record(StepCancelled(at=self.at, step=node.id, reason=reason))
        self.record(event)
