"""A version's definition, from its stored bytes to the graph that the core drives."""

import msgspec

from engine.core.definition import Definition
from engine.core.graph import Graph, compile_graph
from engine.steps.registry import action_steps, describe_traits

_decoder = msgspec.json.Decoder(Definition)


def compile_definition(document: bytes) -> Graph:
    """The graph of a published definition; msgspec.ValidationError or ExpressionError for one that is faulty."""
    return compile_graph(_decoder.decode(document), {step.name: describe_traits(step) for step in action_steps()})
