"""The compiled graph of a definition: steps by index, their edges both ways, their expressions ready to evaluate."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct

from engine.core.definition import CONTROL_PORTS, ActionTraits, Definition, RetryRule, StepDefinition
from engine.core.expressions import Expression, Template, compile_expression, compile_template

SUCCESS = ""
ERROR_PORT = "error"


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """The whole retry rule of a step, its type's defaults filled in. Times in seconds."""

    max_attempts: int
    initial: float
    factor: float
    max: float
    jitter: bool
    on: frozenset[str | int] | None

    def wait_seconds(self, failures: int, jitter: float) -> float:
        """How long to wait after the `failures`-th failed attempt (from 1); `jitter` in [0, 1) spreads the wait fully.

        Full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
        """
        # An exponent beyond this exceeds every allowed maximum and would overflow a float.
        wait = min(self.max, self.initial * self.factor ** min(failures - 1, 64))
        return wait * jitter if self.jitter else wait


class Edge(Struct, frozen=True):
    """Step `target` waits for a port of the step that holds the edge; the empty port is success."""

    target: int
    port: str


class Node(Struct, frozen=True, kw_only=True):
    """One step, compiled."""

    index: int
    id: str
    type: str
    after: tuple[tuple[int, str], ...]
    dependents: tuple[Edge, ...]
    error_listeners: int
    join_any: bool
    config: Template
    condition: Expression | None
    timeout: float
    retry: RetryPolicy | None

    @property
    def is_control(self) -> bool:
        """Whether the core decides the step itself."""
        return self.type in CONTROL_PORTS


class Graph(Struct, frozen=True, kw_only=True):
    """A definition, compiled: immutable, shared by all runs of a version."""

    nodes: tuple[Node, ...]
    index_by_id: dict[str, int]
    roots: tuple[int, ...]
    output: Template | None
    timeout: Template | None


def split_entry(entry: str) -> tuple[str, str]:
    """An entry of `after` as (step id, port); the empty port means success."""
    step_id, _, port = entry.partition(".")
    return step_id, port


def compile_graph(definition: Definition, traits: Mapping[str, ActionTraits]) -> Graph:
    """Compile a definition that has no problems; `traits` describes the action step types by name."""
    index_by_id = {step.id: index for index, step in enumerate(definition.steps)}
    after = [tuple((index_by_id[step_id], port) for step_id, port in map(split_entry, step.after))
             for step in definition.steps]  # fmt: skip
    dependents: list[list[Edge]] = [[] for _ in definition.steps]
    for target, entries in enumerate(after):
        for source, port in entries:
            dependents[source].append(Edge(target, port))
    nodes = tuple(
        _compile_node(step, index, after[index], tuple(dependents[index]), traits)
        for index, step in enumerate(definition.steps)
    )
    timeout = definition.settings.timeout
    return Graph(
        nodes=nodes,
        index_by_id=index_by_id,
        roots=tuple(node.index for node in nodes if not node.after),
        output=None if definition.output is UNSET else compile_template(definition.output),
        timeout=None if timeout is None else compile_template(timeout),
    )


def _compile_node(
    step: StepDefinition,
    index: int,
    after: tuple[tuple[int, str], ...],
    dependents: tuple[Edge, ...],
    traits: Mapping[str, ActionTraits],
) -> Node:
    action = None if step.type in CONTROL_PORTS else traits[step.type]
    return Node(
        index=index,
        id=step.id,
        type=step.type,
        after=after,
        dependents=dependents,
        error_listeners=sum(edge.port == ERROR_PORT for edge in dependents),
        join_any=step.join == "any",
        config=compile_template({} if step.type == "if" else step.with_),
        condition=compile_expression(step.with_["condition"]) if step.type == "if" else None,
        timeout=step.timeout or (action.timeout if action else 0.0),
        retry=None if action is None else _merge_retry(action, step.retry),
    )


def _merge_retry(traits: ActionTraits, rule: RetryRule | None) -> RetryPolicy:
    given: dict[str, Any] = {}
    if rule is not None:
        given = {field: getattr(rule, field) for field in rule.__struct_fields__ if getattr(rule, field) is not None}
    causes = given.pop("on", None)
    defaults = {field: getattr(traits, field) for field in ("max_attempts", "initial", "factor", "max", "jitter")}
    return RetryPolicy(**{**defaults, **given}, on=None if causes is None else frozenset(causes))
