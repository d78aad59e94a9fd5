"""What a bench gives: named figures, some beside a bare client's and some with a goal."""

import math
from collections.abc import Sequence

from msgspec import Struct


class Figure(Struct, kw_only=True, omit_defaults=True):
    """One figure. `bare` is the same of a bare aiohttp client in the same run; goals bound the value, or the ratio."""

    name: str
    value: float
    unit: str
    bare: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    is_goal_of_ratio: bool = False

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of the bare client's."""
        return self.value / self.bare if self.bare else None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        value = self.ratio if self.is_goal_of_ratio else self.value
        if value is None or (self.at_most is None and self.at_least is None):
            return None
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


class BenchFailed(Exception):
    """What was to be measured did not happen: runs failed, webhooks were refused, effects are missing."""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values (0 to 1) does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def percentiles(name: str, values: Sequence[float], *, p50_at_most: float | None = None) -> list[Figure]:
    """p50, p95 and p99 of times in ms."""
    return [
        Figure(
            name=f"{name} p{round(share * 100)}",
            value=percentile(values, share),
            unit="ms",
            at_most=p50_at_most if share == 0.5 else None,  # noqa: PLR2004 - the median
        )
        for share in (0.5, 0.95, 0.99)
    ]
