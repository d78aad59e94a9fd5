"""A version's definition, from its stored bytes to the graph that the core drives."""

import msgspec

from engine.core.definition import ActionTraits, Definition
from engine.core.graph import Graph, compile_graph
from engine.steps.base import ActionStep
from engine.steps.registry import action_steps, describe_traits

_decoder = msgspec.json.Decoder(Definition)


class _Traits(dict[str, ActionTraits]):
    """What is known of action steps. One whose type was uninstalled fails at its attempt, and runs stay readable."""

    def __missing__(self, name: str) -> ActionTraits:
        return ActionTraits(timeout=ActionStep.default_timeout, max_attempts=ActionStep.default_retry.max_attempts)


def compile_definition(document: bytes) -> Graph:
    """The graph of a published definition; msgspec.ValidationError or ExpressionError for one that is faulty."""
    return compile_graph(
        _decoder.decode(document), _Traits((step.name, describe_traits(step)) for step in action_steps())
    )
