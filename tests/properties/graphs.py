"""Random definitions of every step type, nested, and what their actions will do."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import strategies as st

from engine.core.definition import ActionTraits, Definition
from engine.core.graph import Graph, compile_graph

TRAITS = {"http": ActionTraits(timeout=30, max_attempts=3, initial=1.0, factor=2.0, max=60.0, jitter=False)}
DELAY_SECONDS = 60
WAIT_SECONDS = 600
RUN_TIMEOUT_SECONDS = 1_000_000
SIGNALS = ("alpha", "beta")
PORTS: dict[str, tuple[str, ...]] = {
    "if": ("true", "false"),
    "switch": ("a", "b", "default"),
    "approval": ("approved", "rejected", "timeout"),
    "wait": ("timeout",),
}
SIMPLE_TYPES = ("http", "http", "http", "if", "delay", "transform", "switch", "wait", "approval", "workflow", "fail")
NO_LIST = "'no list'"
ITEM_SOURCES = ("[]", "[10]", "[10, 20, 30]", "[1, 2]", NO_LIST)
NESTED_ITEM_SOURCES = (*ITEM_SOURCES, "[item, index]")
MOCKS = (None, True, "a", [1], *({"decision": decision} for decision in PORTS["approval"]))
ITEM_OUTPUTS = (None, "{{ item }}", {"i": "{{ index }}", "fixed": True})


@dataclass
class Plan:
    """A definition, and for each action step how many attempts fail before one succeeds (None: none ever does).

    In an iteration the entry of the item's index counts, over and over. `mocks` make the run a test.
    """

    document: dict[str, Any]
    failures: dict[str, list[int | None]]
    conditions: dict[str, bool] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    mocks: dict[str, Any] = field(default_factory=dict)
    broken_output: bool = False
    graph: Graph = field(init=False)

    def __post_init__(self) -> None:
        self.graph = compile_graph(msgspec.convert(self.document, Definition), TRAITS)

    @property
    def max_attempts(self) -> int:
        """Attempts of an action step in one round of a run."""
        return TRAITS["http"].max_attempts

    def fails(self, path: str, attempt: int) -> bool:
        """Whether this attempt fails in the first round of the run."""
        key, _, step_id = path.rpartition(".")
        index = int(key.rpartition("[")[2].removesuffix("]")) if key else 0
        plan = self.failures[step_id]
        count = plan[index % len(plan)]
        return count is None or attempt <= count


class _Draft:
    """A definition in the making: ids are unique over all levels."""

    def __init__(self, draw: st.DrawFn, most: int) -> None:
        self.draw = draw
        self.left = most
        self.count = 0
        self.failures: dict[str, list[int | None]] = {}
        self.conditions: dict[str, bool] = {}
        self.cases: dict[str, str] = {}

    def steps(self, depth: int, most: int) -> list[dict[str, Any]]:
        """A level of a definition."""
        steps: list[dict[str, Any]] = []
        for _ in range(self.draw(st.integers(1, most))):
            if self.left <= 0 and steps:
                break
            steps.append(self._step(steps, depth))
        return self.draw(st.permutations(steps))

    def _step(self, before: list[dict[str, Any]], depth: int) -> dict[str, Any]:
        draw = self.draw
        self.left -= 1
        step_id = f"s{self.count}"
        self.count += 1
        loops = ("foreach", "foreach") if depth < 2 and self.left > 0 else ()
        kind = draw(st.sampled_from(SIMPLE_TYPES + loops))
        after = []
        if before:
            for source in draw(st.lists(st.sampled_from(before), max_size=3)):
                ports = ("", "", "error", *PORTS.get(source["type"], ()))
                port = draw(st.sampled_from(ports))
                after.append(f"{source['id']}.{port}" if port else source["id"])
        step = {"id": step_id, "type": kind, "after": after, "join": draw(st.sampled_from(["all", "any"]))}
        return step | self._content(step_id, kind, after, depth)

    def _content(self, step_id: str, kind: str, after: list[str], depth: int) -> dict[str, Any]:
        """What the step does: its `with`, and its body."""
        draw = self.draw
        match kind:
            case "http":
                plan: st.SearchStrategy[int | None] = st.sampled_from([0, 0, 0, 1, 2, None])
                self.failures[step_id] = draw(st.lists(plan, min_size=1, max_size=3 if depth else 1))
                config: dict[str, Any] = {"n": "{{ run.id }}"}
            case "if":
                self.conditions[step_id] = draw(st.booleans())
                config = {"condition": _condition(self.conditions[step_id], after)}
            case "switch":
                self.cases[step_id] = chosen = draw(st.sampled_from(PORTS["switch"]))
                config = {"cases": {"a": _condition(chosen == "a", after), "b": str(chosen == "b").lower()}}
            case "transform":
                value = draw(st.sampled_from([1, "{{ run.id }}", "{{ 1 / 0 }}"] + ["{{ item }}"] * bool(depth)))
                config = {"values": {"v": value}}
            case "delay":
                config = {"seconds": draw(st.sampled_from([0, DELAY_SECONDS]))}
            case "wait":
                config = {"signal": draw(st.sampled_from(SIGNALS))} | draw(_TIMEOUTS)
            case "approval":
                config = {"message": "Go on?"} | draw(_TIMEOUTS)
            case "workflow":
                config = {"workflow_id": "other", "input": {"run": "{{ run.id }}"}}
            case "fail":
                config = {"message": "on purpose"}
            case _:
                return self._loop(depth)
        return {"with": config}

    def _loop(self, depth: int) -> dict[str, Any]:
        draw = self.draw
        config: dict[str, Any] = {"items": draw(st.sampled_from(NESTED_ITEM_SOURCES if depth else ITEM_SOURCES))}
        config |= draw(st.sampled_from([{}, {"concurrency": 1}, {"concurrency": 2}]))
        config |= draw(st.sampled_from([{}, {"on_item_error": "fail"}, {"on_item_error": "continue"}]))
        output = draw(st.sampled_from(ITEM_OUTPUTS))
        return {"with": config | ({} if output is None else {"output": output}), "steps": self.steps(depth + 1, 3)}


_TIMEOUTS = st.sampled_from([{}, {"timeout": WAIT_SECONDS}])


def _condition(value: bool, after: list[str]) -> str:
    # Reads a step upstream where there is one, so that conditions depend on results.
    if not after:
        return str(value).lower()
    return f"steps.{after[0].partition('.')[0]}.status != 'nothing' && {str(value).lower()}"


@st.composite
def plans(draw: st.DrawFn, *, max_steps: int = 9) -> Plan:
    """A random acyclic graph of all step types, with random ports, joins, loops, failures and conditions."""
    draft = _Draft(draw, max_steps)
    steps = draft.steps(0, max_steps)
    last = max(steps, key=lambda step: int(step["id"][1:]))["id"]
    broken = draw(st.integers(0, 9)) == 0
    document: dict[str, Any] = {
        "schema": 1,
        "steps": steps,
        "settings": {"timeout": RUN_TIMEOUT_SECONDS},
        "output": "{{ 1 / 0 }}" if broken else {"last": f"{{{{ steps.{last}.status }}}}"},
    }
    if draw(st.booleans()):
        when_full = draw(st.sampled_from(["queue", "queue", "drop", "cancel_running"]))
        document["settings"]["concurrency"] = {"key": "{{ run.id }}", "limit": 1, "when_full": when_full}
    mocks = {}
    if draw(st.integers(0, 4)) == 0:
        for step_id in draw(st.sets(st.sampled_from([f"s{number}" for number in range(draft.count)]), max_size=3)):
            mocks[step_id] = draw(st.sampled_from(MOCKS))
    return Plan(
        document=document,
        failures=draft.failures,
        conditions=draft.conditions,
        cases=draft.cases,
        mocks=mocks,
        broken_output=broken,
    )
