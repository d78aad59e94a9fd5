"""How the items of a `foreach` stand, told from the latest events of their steps."""

from collections.abc import Iterable
from typing import Any, Literal

from app.runs.schemas import ItemCounts
from engine.core.graph import ERROR_PORT, Graph
from engine.store.histories import Outcome

_ENDS = frozenset({"succeeded", "failed", "skipped", "cancelled"})


def continues_after_failures(config: dict[str, Any]) -> bool:
    """Whether a `foreach` configured like this goes on after a failed item."""
    return config.get("on_item_error") == "continue"


def count_items(body: Graph, outcomes: Iterable[Outcome], *, total: int, continues: bool) -> ItemCounts:
    """How many items have ended, and how many of these failed. An item that was broken off has not ended."""
    counts = ItemCounts(total=total)
    for outcome in outcomes:
        end = judge_item(body, outcome, continues=continues)
        counts.done += outcome.iterations if end is not None else 0
        counts.failed += outcome.iterations if end == "failed" else 0
    return counts


def judge_item(body: Graph, outcome: Outcome, *, continues: bool) -> Literal["succeeded", "failed"] | None:
    """How an iteration ended; None where it has not, or was broken off."""
    kinds = outcome.steps
    failed = [node for node in body.nodes if kinds.get(node.id) == "failed" and not _is_handled(body, node.id, kinds)]
    if failed:
        # A new round runs it again, unless what it gave was kept.
        return "failed" if continues or not any(node.id in outcome.past for node in failed) else None
    if len(kinds) < len(body.nodes) or not _ENDS.issuperset(kinds.values()) or "cancelled" in kinds.values():
        return None
    return "succeeded"


def _is_handled(body: Graph, step_id: str, kinds: dict[str, str]) -> bool:
    """Whether a step that listens for the failure was not skipped."""
    node = body.nodes[body.index_by_id[step_id]]
    return any(
        edge.port == ERROR_PORT and kinds.get(body.nodes[edge.target].id) != "skipped" for edge in node.dependents
    )
