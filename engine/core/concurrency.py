"""Which concurrency slot a run needs before it may start."""

from typing import Any

import msgspec
from msgspec import Struct

from engine.core.control import show_value
from engine.core.definition import MAX_SLOTS
from engine.core.graph import Graph
from engine.core.state import State

LONGEST_KEY = 1024


class ConcurrencyClaim(Struct, frozen=True, kw_only=True):
    """One of the `limit` slots of a key; `when_full` is `queue`, `drop` or `cancel_running`."""

    key: str
    limit: int
    when_full: str


def evaluate_concurrency(graph: Graph, state: State, variables: dict[str, Any]) -> ConcurrencyClaim | None:
    """The slot that a queued run needs; None without a rule. Raises ExpressionError, or ValueError."""
    rule = graph.concurrency
    if rule is None:
        return None
    scope = state.scope | {"vars": variables | state.preset_vars}
    key = rule.key.render(scope)
    # Objects that are equal are one key, however their fields are ordered.
    text = key if isinstance(key, str) else msgspec.json.encode(key, order="sorted").decode()
    if len(text) > LONGEST_KEY:
        raise ValueError(f"settings.concurrency.key is longer than {LONGEST_KEY} characters")
    if "\0" in text:
        # PostgreSQL knows no such text: the claim of every run beside this one would fail with it, for ever.
        raise ValueError("settings.concurrency.key has a NUL character (U+0000), which no key may have")
    limit = rule.limit.render(scope)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_SLOTS:
        raise ValueError(
            f"settings.concurrency.limit is {show_value(limit)}; it must be a whole number from 1 to {MAX_SLOTS:,}"
        )
    return ConcurrencyClaim(key=text, limit=limit, when_full=rule.when_full)
