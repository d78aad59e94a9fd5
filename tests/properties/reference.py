"""A small interpreter that says what must become of a run: no events, no time, no counters.

It reads the definition and what the world answered (`answers`: the last result of every step that asks somebody), and
tells the rules once more, as plainly as possible. What nobody has answered is `open`, and so is all that hangs on it.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.properties.graphs import NO_LIST, Plan

OPEN = "open"
FAILED_ITEM = object()


@dataclass(frozen=True)
class Answer:
    """What the world made of a step: its status, the port it took, what it gave."""

    status: str
    port: str | None = None
    output: Any = None


@dataclass
class Verdict:
    """What must become of a run: `run` is succeeded, failed or open; steps and outputs by path."""

    run: str
    steps: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)


def judge(plan: Plan, answers: dict[str, Answer], run_id: str = "r") -> Verdict:
    """What the rules say. In a failed run it depends on timing which of its steps got how far."""
    verdict = Verdict(OPEN)
    outcome = _Level(plan, answers, verdict, run_id).judge(plan.document["steps"], "", None)
    verdict.run = "failed" if outcome == "succeeded" and plan.broken_output else outcome
    return verdict


@dataclass
class _Level:
    """The steps that stand beside each other: those of the definition, or of one iteration."""

    plan: Plan
    answers: dict[str, Answer]
    verdict: Verdict
    run_id: str
    known: dict[str, Answer] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)

    def judge(self, steps: list[dict[str, Any]], prefix: str, item: tuple[Any, int] | None) -> str:
        self.awaited = {entry for step in steps for entry in step["after"]}
        for step in sorted(steps, key=lambda step: int(step["id"][1:])):
            answer = self._step(step, prefix, item)
            self.known[step["id"]] = answer
            self.verdict.steps[prefix + step["id"]] = answer.status
            self.verdict.outputs[prefix + step["id"]] = answer.output
        listeners = [
            (entry.removesuffix(".error"), step["id"])
            for step in steps
            for entry in step["after"]
            if entry.endswith(".error")
        ]
        for step_id, answer in self.known.items():
            handlers = [self.known[handler].status for source, handler in listeners if source == step_id]
            if answer.status == "failed" and all(status == "skipped" for status in handlers):
                return "failed"
        return OPEN if any(answer.status == OPEN for answer in self.known.values()) else "succeeded"

    def _step(self, step: dict[str, Any], prefix: str, item: tuple[Any, int] | None) -> Answer:
        sources = [entry.partition(".") for entry in step["after"]]
        if any(self.known[source].status == OPEN for source, _, _ in sources):
            return Answer(OPEN)
        satisfied = [_holds(self.known[source], port) for source, _, port in sources]
        if satisfied and not (any(satisfied) if step["join"] == "any" else all(satisfied)):
            return Answer("skipped")
        if step["id"] in self.plan.mocks:
            answer = _mocked(step["type"], self.plan.mocks[step["id"]])
            refused = answer.port in _REFUSALS and f"{step['id']}.{answer.port}" not in self.awaited
            return Answer("failed") if refused else answer
        return self._perform(step, prefix, item)

    def _perform(self, step: dict[str, Any], prefix: str, item: tuple[Any, int] | None) -> Answer:
        step_id = step["id"]
        match step["type"]:
            case "if":
                value = self.plan.conditions[step_id]
                return Answer("succeeded", "true" if value else "false", value)
            case "switch":
                return Answer("succeeded", self.plan.cases[step_id], self.plan.cases[step_id])
            case "transform":
                value = step["with"]["values"]["v"]
                if value == "{{ 1 / 0 }}":
                    return Answer("failed")
                known = {"{{ run.id }}": self.run_id, "{{ item }}": item and item[0]}
                return Answer("succeeded", None, {"v": known.get(value, value)})
            case "delay":
                return Answer("succeeded")
            case "fail":
                return Answer("failed")
            case "foreach":
                return self._loop(step, prefix, item)
            case _:
                return self.answers.get(prefix + step_id, Answer(OPEN))

    def _loop(self, step: dict[str, Any], prefix: str, item: tuple[Any, int] | None) -> Answer:
        source = step["with"]["items"]
        if source == NO_LIST:
            return Answer("failed")
        items = list(item) if source == "[item, index]" and item else [int(n) for n in source[1:-1].split(",") if n]
        continues = step["with"].get("on_item_error") == "continue"
        outcomes, results = [], []
        for index, value in enumerate(items):
            level = _Level(self.plan, self.answers, self.verdict, self.run_id)
            outcome = level.judge(step["steps"], f"{prefix}{step['id']}[{index}].", (value, index))
            outcomes.append(outcome)
            given = {step_id: answer.output for step_id, answer in level.known.items()}
            results.append(FAILED_ITEM if outcome == "failed" else _output(step, value, index, given))
        if "failed" in outcomes and not continues:
            return Answer("failed")
        return Answer(OPEN) if OPEN in outcomes else Answer("succeeded", None, results)


_REFUSALS = {"timeout", "rejected"}


def _holds(answer: Answer, port: str) -> bool:
    if answer.status == "succeeded":
        return answer.port not in _REFUSALS if port == "" else port == answer.port
    return answer.status == "failed" and port == "error"


def _output(step: dict[str, Any], item: Any, index: int, given: dict[str, Any]) -> Any:
    match step["with"].get("output"):
        case None:
            return given
        case "{{ item }}":
            return item
        case _:
            return {"i": index, "fixed": True}


def _mocked(kind: str, output: Any) -> Answer:
    port = None
    if kind == "if":
        port = "true" if output is True else "false"
    elif kind == "switch":
        port = output if output in ("a", "b") else "default"
    elif kind == "approval":
        port = output["decision"] if isinstance(output, dict) else "approved"
    return Answer("succeeded", port, output)
