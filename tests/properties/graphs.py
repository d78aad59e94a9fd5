"""Random definitions, what their steps will do, and a small interpreter that says what must become of them."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import strategies as st

from engine.core.definition import ActionTraits, Definition
from engine.core.graph import Graph, compile_graph

TRAITS = {"http": ActionTraits(timeout=30, max_attempts=3, initial=1.0, factor=2.0, max=60.0, jitter=False)}
DELAY_SECONDS = 60
RUN_TIMEOUT_SECONDS = 10_000


@dataclass
class Plan:
    """A definition, and for each action step how many attempts fail before one succeeds (None: none ever does)."""

    document: dict[str, Any]
    failures: dict[str, int | None]
    conditions: dict[str, bool]
    broken_output: bool = False
    graph: Graph = field(init=False)

    def __post_init__(self) -> None:
        self.graph = compile_graph(msgspec.convert(self.document, Definition), TRAITS)

    @property
    def max_attempts(self) -> int:
        return TRAITS["http"].max_attempts


def _condition(value: bool, sources: list[str]) -> str:
    # Reads a step upstream where there is one, so that conditions depend on results.
    return f"steps.{sources[0]}.status != 'nothing' && {str(value).lower()}" if sources else str(value).lower()


@st.composite
def plans(draw: st.DrawFn, *, max_steps: int = 9) -> Plan:
    """A random acyclic graph of http, if and delay steps with random ports, joins, failures and conditions."""
    count = draw(st.integers(1, max_steps))
    steps: list[dict[str, Any]] = []
    failures: dict[str, int | None] = {}
    conditions: dict[str, bool] = {}
    types: list[str] = []
    for index in range(count):
        step_id = f"s{index}"
        kind = draw(st.sampled_from(["http", "http", "http", "if", "delay"]))
        after: list[str] = []
        if index:
            for source in draw(st.lists(st.integers(0, index - 1), max_size=3)):
                ports = ["", "", ".error"] + ([".true", ".false"] if types[source] == "if" else [])
                after.append(f"s{source}{draw(st.sampled_from(ports))}")
        step: dict[str, Any] = {
            "id": step_id,
            "type": kind,
            "after": after,
            "join": draw(st.sampled_from(["all", "any"])),
        }
        sources = [entry.partition(".")[0] for entry in after]
        if kind == "http":
            step["with"] = {"n": "{{ run.id }}"}
            failures[step_id] = draw(st.sampled_from([0, 0, 0, 1, 2, None]))
        elif kind == "if":
            conditions[step_id] = draw(st.booleans())
            step["with"] = {"condition": _condition(conditions[step_id], sources)}
        else:
            step["with"] = {"seconds": draw(st.sampled_from([0, DELAY_SECONDS]))}
        types.append(kind)
        steps.append(step)
    broken = draw(st.integers(0, 9)) == 0
    document = {
        "schema": 1,
        "steps": draw(st.permutations(steps)),
        "settings": {"timeout": RUN_TIMEOUT_SECONDS},
        "output": "{{ 1 / 0 }}" if broken else {"last": f"{{{{ steps.s{count - 1}.status }}}}"},
    }
    return Plan(document=document, failures=failures, conditions=conditions, broken_output=broken)


@dataclass
class Verdict:
    """What must become of a run in which everything that is started ends before the run does."""

    run: str
    steps: dict[str, str]
    certain: frozenset[str]


def judge(plan: Plan) -> Verdict:
    """The rules of the definition, read once more and told as plainly as possible: no events, no time, no counters.

    In a failed run it depends on timing which of the other steps got how far; `certain` names the steps that every
    order of events must treat alike: what precedes the failure.
    """
    documents = {step["id"]: step for step in plan.document["steps"]}
    status: dict[str, str] = {}
    port: dict[str, str] = {}

    def holds(entry: str) -> bool:
        source, _, wanted = entry.partition(".")
        if status[source] == "succeeded":
            return wanted in ("", port.get(source, "-"))
        return status[source] == "failed" and wanted == "error"

    for step_id in sorted(documents, key=lambda name: int(name[1:])):
        step = documents[step_id]
        satisfied = [holds(entry) for entry in step["after"]]
        if satisfied and not (any(satisfied) if step["join"] == "any" else all(satisfied)):
            status[step_id] = "skipped"
        elif step["type"] == "http":
            fails = plan.failures[step_id]
            status[step_id] = "failed" if fails is None or fails >= plan.max_attempts else "succeeded"
        else:
            status[step_id] = "succeeded"
            if step["type"] == "if":
                port[step_id] = "true" if plan.conditions[step_id] else "false"
    unhandled = [
        step_id
        for step_id, outcome in status.items()
        if outcome == "failed"
        and not any(
            f"{step_id}.error" in other["after"] and status[other["id"]] != "skipped" for other in documents.values()
        )
    ]
    if unhandled:
        return Verdict("failed", status, frozenset())
    return Verdict("failed" if plan.broken_output else "succeeded", status, frozenset(status))
