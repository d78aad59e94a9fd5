"""Line plots as SVG, with nothing but text: a report is one file that opens anywhere."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from msgspec import Struct

WIDTH: Final = 720
HEIGHT: Final = 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 34
COLOURS: Final = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4b5563")
MOST_POINTS: Final = 600
TICKS: Final = 5


class Series(Struct, frozen=True, kw_only=True):
    """One line: pairs of seconds and a value."""

    name: str
    points: Sequence[tuple[float, float]]


class Plot(Struct, frozen=True, kw_only=True):
    """Lines over the same seconds. `note` says what one sees."""

    title: str
    unit: str
    series: Sequence[Series]
    note: str = ""


def draw(plot: Plot) -> str:
    """The plot as an `<svg>` element with its legend; a sentence where there is nothing to show."""
    shown = [series for series in plot.series if series.points]
    if not shown:
        return '<p class="none">Not measured.</p>'
    points = [point for series in shown for point in series.points]
    first = min(at for at, _ in points)
    last = max(first + 1, *(at for at, _ in points))
    most = max(1e-9, *(value for _, value in points))
    step = _find_step(most)
    top = step * math.ceil(most / step)

    def place(at: float, value: float) -> tuple[float, float]:
        x = LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - max(value, 0.0) / top * (HEIGHT - TOP - BOTTOM)

    parts = [_draw_grid(step, top, first, last, place(first, 0), place(last, 0))]
    for number, series in enumerate(shown):
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(at, value) for at, value in _thin(series.points)))
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    legend = "".join(
        f'<span><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escape(series.name)}</span>'
        for number, series in enumerate(shown)
    )
    label = escape(f"{plot.title} ({plot.unit})", quote=True)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
        f'<p class="legend">{legend}</p>'
    )


def _draw_grid(
    step: float, top: float, first: float, last: float, low: tuple[float, float], high: tuple[float, float]
) -> str:
    (left, bottom), (right, _) = low, high
    parts = []
    for number in range(round(top / step) + 1):
        y = bottom - number * step / top * (bottom - TOP)
        parts.append(f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{number * step:g}</text>')
    for number in range(TICKS + 1):
        x = left + (right - left) * number / TICKS
        seconds = first + (last - first) * number / TICKS
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{seconds:.0f} s</text>')
    return "".join(parts)


def _find_step(most: float) -> float:
    """A round distance of the lines of the grid: 1, 2 or 5 times a power of ten."""
    rough = most / TICKS
    power = float(10 ** math.floor(math.log10(rough)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _thin(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """So many points at most, of which each is the highest of those it stands for: a peak is never left out."""
    if len(points) <= MOST_POINTS:
        return points
    size = math.ceil(len(points) / MOST_POINTS)
    return [max(points[at : at + size], key=lambda point: point[1]) for at in range(0, len(points), size)]
