"""Why a step stands as it does, in a sentence or two."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from app.runs.schemas import StepView
from engine.core.definition import REFUSING_PORTS, StepDefinition
from engine.core.graph import ERROR_PORT, SUCCESS, split_entry
from engine.core.statuses import TERMINAL_STEP, StepStatus
from engine.core.transitions import REASONS

LONGEST_QUOTE = 300
# A step may be skipped because of one that was skipped, and so on: this many are told.
LONGEST_CHAIN = 5


class Explainer:
    """Explains the steps of one level, which is a `run` or an `item`, from each other."""

    def __init__(
        self, definitions: Sequence[StepDefinition], views: Sequence[StepView], *, whole: str, has_begun: bool
    ) -> None:
        self._definitions = {step.id: step for step in definitions}
        self._views = {view.id: view for view in views}
        self._whole = whole
        self._has_begun = has_begun

    def explain(self, view: StepView) -> str:
        """Why the step ran, was skipped, waits, is tried again or failed, with the values that decided it."""
        definition = self._definitions[view.id]
        if view.status is StepStatus.PENDING:
            return self._explain_pending(definition)
        if view.status is StepStatus.SKIPPED:
            return self._explain_skipped(view)
        has_run = view.reason not in ("mocked", "reused")
        if view.status is StepStatus.CANCELLED:
            # Else its turn had not come.
            has_run = view.started_at is not None
        said = [self._explain_start(definition)] if has_run else []
        return " ".join([*said, _sentence(_describe(view, definition))])

    def _explain_pending(self, definition: StepDefinition) -> str:
        if not self._has_begun:
            return f"The {self._whole} has not started."
        open_entries = [entry for entry in definition.after if self._source(entry).status not in TERMINAL_STEP]
        if not open_entries:
            return "Its turn has not come."
        named = _join(f"'{entry}'" for entry in open_entries)
        return _sentence(f"It waits for {named}")

    def _explain_start(self, definition: StepDefinition) -> str:
        if not definition.after:
            return f"It started with the {self._whole}, as it waits for no other step."
        satisfied = [self._describe_entry(entry) for entry in definition.after if self._is_satisfied(entry)]
        return _sentence(f"It ran because {_join(satisfied)}") if satisfied else "It ran."

    def _explain_skipped(self, view: StepView) -> str:
        if view.reason == "reused":
            return _sentence(f"It was skipped: {_reason('step.skipped', view)}")
        if view.reason == "nothing_satisfied":
            causes = _join(self._describe_entry(entry) for entry in self._definitions[view.id].after)
            return _sentence(f"It was skipped because no entry of its `after` was satisfied: {causes}")
        told = f"It was skipped because it waits for '{view.because}', and {self._describe_cause(view)}"
        cause = self._find_cause(view)
        for _ in range(LONGEST_CHAIN):
            if cause is None or cause.status is not StepStatus.SKIPPED or cause.because is None:
                break
            told += f", which waits for '{cause.because}', and {self._describe_cause(cause)}"
            cause = self._find_cause(cause)
        return _sentence(told)

    def _find_cause(self, view: StepView) -> StepView | None:
        return None if view.because is None else self._views.get(split_entry(view.because)[0])

    def _describe_cause(self, view: StepView) -> str:
        return "that was not satisfied" if view.because is None else self._describe_entry(view.because)

    def _source(self, entry: str) -> StepView:
        return self._views[split_entry(entry)[0]]

    def _is_satisfied(self, entry: str) -> bool:
        source, port = self._source(entry), split_entry(entry)[1]
        if port == ERROR_PORT:
            return source.status is StepStatus.FAILED
        if source.status is not StepStatus.SUCCEEDED:
            return False
        refusing = REFUSING_PORTS.get(source.type, frozenset())
        return source.port not in refusing if port == SUCCESS else port == source.port

    def _describe_entry(self, entry: str) -> str:
        """What became of the step that an entry of `after` names, as far as it bears on the entry."""
        source = self._source(entry)
        if source.status is StepStatus.SUCCEEDED and source.port is not None:
            return _describe_port(source, self._definitions[source.id])
        if source.status is StepStatus.FAILED and source.error is not None:
            return f"'{source.id}' failed ({_quote(source.error.message)})"
        return {
            StepStatus.SUCCEEDED: f"'{source.id}' succeeded",
            StepStatus.SKIPPED: f"'{source.id}' was skipped",
            StepStatus.CANCELLED: f"'{source.id}' was cancelled",
        }.get(source.status, f"'{source.id}' is {source.status}")


def _describe(view: StepView, definition: StepDefinition) -> str:
    """What the step does or did."""
    match view.status:
        case StepStatus.WAITING:
            return _describe_wait(view)
        case StepStatus.RETRYING:
            failed = view.attempts[-1].number if view.attempts else 0
            message = _quote(view.attempts[-1].error.message) if view.attempts and view.attempts[-1].error else ""
            due = _format(view.due_at)
            return f"Attempt {failed} failed ({message}): {_reason('step.retrying', view)}; the next one is due {due}"
        case StepStatus.CANCELLED:
            return f"{_describe_break(view)}: {_reason('step.cancelled', view)}"
        case StepStatus.FAILED:
            message = "" if view.error is None else f": {_quote(view.error.message)}"
            return f"It failed, as {_reason('step.failed', view)}{message}"
        case StepStatus.SUCCEEDED if view.port is not None and view.reason != "mocked":
            return _describe_port(view, definition)
        case StepStatus.SUCCEEDED:
            return f"It succeeded: {_reason('step.succeeded', view)}"
        case _ if view.items is not None:
            failed_items = f", {view.items.failed} of them failed" if view.items.failed else ""
            return f"{view.items.done} of its {view.items.total} items are done{failed_items}"
        case _ if view.reason == "held_back":
            return "A limit of the worker holds its attempt back"
        case _:
            return "It is running"


def _describe_break(view: StepView) -> str:
    last = view.attempts[-1] if view.attempts else None
    # A step that waited for its next attempt, or for the turn of its first in this round, has none to break off.
    if last is not None and last.status == "cancelled" and last.finished_at == view.finished_at:
        return f"Attempt {last.number} was broken off"
    return "It was cancelled"


def _describe_wait(view: StepView) -> str:
    waiting = view.waiting
    until = "" if view.due_at is None else f", until {_format(view.due_at)} at the latest"
    if waiting is None or waiting.reason == "delay":
        return f"It waits until {_format(view.due_at)}"
    if waiting.reason == "signal":
        return f"It waits for the signal '{waiting.signal}'{until}"
    if waiting.reason == "approval":
        return f"It waits for a decision on '{_quote(waiting.message or '')}'{until}"
    return f"It waits for the end of the run {waiting.child_run_id}, which it started"


def _describe_port(view: StepView, definition: StepDefinition) -> str:
    """Which way a step with ports went, and why."""
    if definition.type == "if":
        return f"the condition of '{view.id}' (`{_quote(str(definition.with_.get('condition')))}`) was {view.port}"
    if definition.type == "switch":
        cases = definition.with_.get("cases", {})
        if view.port in cases:
            return f"the case '{view.port}' of '{view.id}' (`{_quote(str(cases[view.port]))}`) is the first true one"
        return f"no case of '{view.id}' was true"
    said = {"timeout": "ended without an answer in time", "approved": "was approved", "rejected": "was rejected"}
    return f"'{view.id}' {said.get(str(view.port), f'took the port {view.port}')}"


def _reason(event: str, view: StepView) -> str:
    return REASONS[event].get(view.reason or "", view.reason or "no reason is known")


def _quote(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"


def _format(moment: datetime | None) -> str:
    return "at an unknown time" if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _join(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _sentence(text: str) -> str:
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "…")) else whole + "."
