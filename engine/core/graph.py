"""The compiled graph of a definition: steps by index, their edges both ways, their expressions ready to evaluate."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from engine.core.definition import (
    CONTROL_PORTS,
    REFUSING_PORTS,
    ActionTraits,
    Definition,
    RetryRule,
    StepDefinition,
)
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


class Body(Struct, frozen=True, kw_only=True):
    """What a `foreach` does for each item. `outer`: the steps outside that its expressions read."""

    graph: "Graph"
    items: Expression
    output: Template | None
    outer: tuple[str, ...]


class Node(Struct, frozen=True, kw_only=True):
    """One step, compiled. `refusing_ports` are those that are no success; `heard_ports` those that a step waits for."""

    index: int
    id: str
    type: str
    after: tuple[tuple[int, str], ...]
    dependents: tuple[Edge, ...]
    error_listeners: int
    join_any: bool
    is_control: bool
    config: Template
    condition: Expression | None
    cases: tuple[tuple[str, Expression], ...]
    timeout: float
    retry: RetryPolicy | None
    refusing_ports: frozenset[str]
    heard_ports: frozenset[str]
    body: Body | None

    def expression_at(self, pointer: str) -> str | None:
        """The expression that alone makes what stands at this pointer of `with`; None where no expression does."""
        _, field, *rest = pointer.split("/")
        if field == "condition" and self.condition is not None:
            return self.condition.source
        if field == "items" and self.body is not None:
            return self.body.items.source
        if field == "cases" and rest:
            return next((case.source for name, case in self.cases if name == rest[0]), None)
        return self.config.expression_at(pointer)


class Concurrency(Struct, frozen=True, kw_only=True):
    """The compiled `settings.concurrency`."""

    key: Template
    limit: Template
    when_full: str


class Graph(Struct, frozen=True, kw_only=True):
    """A definition, or the body of a `foreach`: compiled, immutable, shared by all runs of a version.

    `variables`: the names of the workspace's variables that its expressions read; None where only they know.
    """

    nodes: tuple[Node, ...]
    index_by_id: dict[str, int]
    roots: tuple[int, ...]
    has_approvals: bool
    output: Template | None = None
    timeout: Template | None = None
    concurrency: Concurrency | None = None
    variables: frozenset[str] | None = frozenset()


def split_entry(entry: str) -> tuple[str, str]:
    """An entry of `after` as (step id, port); the empty port means success."""
    step_id, _, port = entry.partition(".")
    return step_id, port


def compile_graph(definition: Definition, traits: Mapping[str, ActionTraits]) -> Graph:
    """Compile a definition that has no problems; `traits` describes the action step types by name."""
    settings = definition.settings
    rule = settings.concurrency
    return _compile_steps(
        definition.steps,
        traits,
        output=None if definition.output is UNSET else compile_template(definition.output),
        timeout=None if settings.timeout is None else compile_template(settings.timeout),
        concurrency=None
        if rule is None
        else Concurrency(key=compile_template(rule.key), limit=compile_template(rule.limit), when_full=rule.when_full),
    )


def find_node(graph: Graph, path: str) -> Node | None:
    """The node of a step's path (`each[3].fetch`), whatever the item; None where the graph has no such step."""
    *loops, step_id = path.split(".")
    for name in loops:
        index = graph.index_by_id.get(name.partition("[")[0])
        body = None if index is None else graph.nodes[index].body
        if body is None:
            return None
        graph = body.graph
    index = graph.index_by_id.get(step_id)
    return None if index is None else graph.nodes[index]


def _compile_steps(steps: Sequence[StepDefinition], traits: Mapping[str, ActionTraits], **settings: Any) -> Graph:
    index_by_id = {step.id: index for index, step in enumerate(steps)}
    after = [tuple((index_by_id[step_id], port) for step_id, port in map(split_entry, step.after)) for step in steps]
    dependents: list[list[Edge]] = [[] for _ in steps]
    for target, entries in enumerate(after):
        for source, port in entries:
            dependents[source].append(Edge(target, port))
    nodes = tuple(
        _compile_node(step, index, after[index], tuple(dependents[index]), traits) for index, step in enumerate(steps)
    )
    graph = Graph(
        nodes=nodes,
        index_by_id=index_by_id,
        roots=tuple(node.index for node in nodes if not node.after),
        has_approvals=any(node.type == "approval" or (node.body and node.body.graph.has_approvals) for node in nodes),
        **settings,
    )
    return msgspec.structs.replace(graph, variables=_find_variables(graph))


def _find_variables(graph: Graph) -> frozenset[str] | None:
    rule = graph.concurrency
    templates = (graph.output, graph.timeout, *(() if rule is None else (rule.key, rule.limit)))
    references = {*_references(graph), *(path for template in templates if template for path in template.references)}
    names = {path[1] if len(path) > 1 else None for path in references if path[0] == "vars"}
    for body in (node.body for node in graph.nodes if node.body is not None):
        outputs = () if body.output is None else body.output.references
        names |= {path[1] if len(path) > 1 else None for path in outputs if path[0] == "vars"}
        names |= {None} if body.graph.variables is None else body.graph.variables
    return None if None in names else frozenset(name for name in names if name is not None)


def _compile_node(
    step: StepDefinition,
    index: int,
    after: tuple[tuple[int, str], ...],
    dependents: tuple[Edge, ...],
    traits: Mapping[str, ActionTraits],
) -> Node:
    action = None if step.type in CONTROL_PORTS else traits[step.type]
    config = dict(step.with_)
    # What is evaluated on its own, and at its own time, is no part of the rendered configuration.
    condition = config.pop("condition") if step.type == "if" else None
    cases = config.pop("cases") if step.type == "switch" else {}
    return Node(
        index=index,
        id=step.id,
        type=step.type,
        after=after,
        dependents=dependents,
        error_listeners=sum(edge.port == ERROR_PORT for edge in dependents),
        join_any=step.join == "any",
        is_control=action is None,
        body=_compile_body(step, config, traits) if step.type == "foreach" else None,
        config=compile_template(config),
        condition=None if condition is None else compile_expression(condition),
        cases=tuple((name, compile_expression(source)) for name, source in cases.items()),
        timeout=step.timeout or (action.timeout if action else 0.0),
        retry=None if action is None else _merge_retry(action, step.retry),
        refusing_ports=REFUSING_PORTS.get(step.type, frozenset()),
        heard_ports=frozenset(edge.port for edge in dependents),
    )


def _compile_body(step: StepDefinition, config: dict[str, Any], traits: Mapping[str, ActionTraits]) -> Body:
    """The body of a `foreach`; takes what belongs to it out of `config`."""
    graph = _compile_steps(step.steps, traits)
    items = compile_expression(config.pop("items"))
    output = compile_template(config.pop("output")) if "output" in config else None
    references = set(_references(graph)) | (set() if output is None else output.references)
    outer = {path[1] for path in references if path[0] == "steps" and len(path) > 1}
    return Body(graph=graph, items=items, output=output, outer=tuple(sorted(outer - graph.index_by_id.keys())))


def _references(graph: Graph) -> Iterator[tuple[str, ...]]:
    for node in graph.nodes:
        yield from node.config.references
        if node.condition is not None:
            yield from node.condition.references
        for _, case in node.cases:
            yield from case.references
        if node.body is not None:
            yield from node.body.items.references
            yield from (("steps", step_id) for step_id in node.body.outer)


def _merge_retry(traits: ActionTraits, rule: RetryRule | None) -> RetryPolicy:
    given: dict[str, Any] = {}
    if rule is not None:
        given = {field: getattr(rule, field) for field in rule.__struct_fields__ if getattr(rule, field) is not None}
    causes = given.pop("on", None)
    defaults = {field: getattr(traits, field) for field in ("max_attempts", "initial", "factor", "max", "jitter")}
    return RetryPolicy(**{**defaults, **given}, on=None if causes is None else frozenset(causes))
