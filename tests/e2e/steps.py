"""Definitions, written briefly."""

from typing import Any

Step = dict[str, Any]

# One try, so that a failing target fails the step at once.
ONCE = {"max_attempts": 1}


def http(step_id: str, url: str, *, method: str = "GET", after: list[str] | None = None, **more: Any) -> Step:
    """An `http` step. What stands in `with_` goes into `with`, everything else beside it."""
    configuration = {"method": method, "url": url, **more.pop("with_", {})}
    return _step(step_id, "http", configuration, after, more)


def condition(step_id: str, expression: str, *, after: list[str] | None = None, **more: Any) -> Step:
    """An `if` step."""
    return _step(step_id, "if", {"condition": expression}, after, more)


def delay(step_id: str, seconds: float | str, *, after: list[str] | None = None, **more: Any) -> Step:
    """A `delay` step."""
    return _step(step_id, "delay", {"seconds": seconds}, after, more)


def of_type(
    step_type: str, step_id: str, configuration: Step | None = None, *, after: list[str] | None = None, **more: Any
) -> Step:
    """A step of any type; `more` stands beside its `with`."""
    return _step(step_id, step_type, configuration or {}, after, more)


def transform(step_id: str, *, after: list[str] | None = None, **values: Any) -> Step:
    """A `transform` step that gives these values."""
    return _step(step_id, "transform", {"values": values}, after, {})


def foreach(step_id: str, items: str, *steps: Step, after: list[str] | None = None, **configuration: Any) -> Step:
    """A `foreach` step over these nested steps; everything else goes into `with`."""
    return _step(step_id, "foreach", {"items": items, **configuration}, after, {"steps": list(steps)})


def define(*steps: Step, **more: Any) -> dict[str, Any]:
    """A definition of these steps."""
    return {"schema": 1, "steps": list(steps), **more}


def _step(step_id: str, step_type: str, configuration: Step, after: list[str] | None, more: Step) -> Step:
    waits = {} if after is None else {"after": after}
    return {"id": step_id, "type": step_type, "with": configuration, **waits, **more}
