"""The workflows of the simulation: small ones, each with something that a crash could break."""

from typing import Any

import msgspec

from engine.core.definition import ActionTraits, Definition
from engine.core.graph import Graph, compile_graph

TRAITS = {"http": ActionTraits(timeout=30, max_attempts=3, initial=1.0, factor=2.0, max=60.0, jitter=False)}


def _step(step_id: str, kind: str, *after: str, **config: Any) -> dict[str, Any]:
    return {"id": step_id, "type": kind, "after": list(after), "with": config}


def _http(step_id: str, *after: str) -> dict[str, Any]:
    return _step(step_id, "http", *after)


_DOCUMENTS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "leaf": ([_http("a")], {}),
    "line": ([_http("a"), _http("b", "a")], {}),
    "delay": ([_http("a"), _step("pause", "delay", "a", seconds=60), _http("b", "pause")], {}),
    "wait": ([_step("hear", "wait", signal="go"), _http("a", "hear")], {}),
    "approval": ([_step("ask", "approval", message="Go on?", timeout=60), _http("a", "ask.approved")], {}),
    "asking": ([_step("ask", "approval", message="Go on?", timeout=60), _http("b"), _http("c", "ask", "b")], {}),
    "polled": (
        [
            {
                "id": "each",
                "type": "foreach",
                "with": {"items": "[1, 2]"},
                "steps": [_step("ask", "approval", message="Go on?"), _http("a") | {"retry": {"max_attempts": 1}}],
            },
            _http("b", "each.error"),
        ],
        {},
    ),
    "parent": ([_step("child", "workflow", workflow_id="leaf"), _http("a", "child")], {}),
    "deserter": ([_step("child", "workflow", workflow_id="delay"), _step("no", "fail", message="no")], {}),
    "loop": (
        [
            {"id": "each", "type": "foreach", "with": {"items": "[1, 2]"}, "steps": [_http("a")]},
            _http("b", "each"),
        ],
        {},
    ),
    "hasty": (
        [
            {
                "id": "each",
                "type": "foreach",
                "with": {"items": "[1, 2]"},
                "steps": [_http("a") | {"retry": {"max_attempts": 1}}, _http("b", "a")],
            },
            _http("c", "each.error"),
        ],
        {},
    ),
    "rescue": ([_http("a"), _http("b"), _http("c", "a.error"), {**_http("d", "a", "c"), "join": "any"}], {}),
    "single": ([_http("a")], {"concurrency": {"key": "one", "limit": 1}}),
}

FLOWS: dict[str, Graph] = {
    name: compile_graph(msgspec.convert({"schema": 1, "steps": steps, "settings": settings}, Definition), TRAITS)
    for name, (steps, settings) in _DOCUMENTS.items()
}
NAMES = tuple(FLOWS)
