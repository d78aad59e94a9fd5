"""What a load test tells: a table for people, a document for programs, and a page with plots."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from cli.bench.report import Machine
from loadtests.figures import Figure
from loadtests.notes import explain
from loadtests.plots import Plot, draw

HTML: Final = "report.html"
JSON: Final = "summary.json"
LOCUST_HTML: Final = "locust.html"
# Of a list that may hold every event, so many are shown.
SHOWN: Final = 20


class Summary(Struct, kw_only=True):
    """One load test, as `summary.json`. Lists hold the first of each kind of trouble."""

    profile: str
    title: str
    at: datetime
    rate: float
    seconds: float
    is_busy: bool
    is_own_product: bool
    machine: Machine | None
    figures: list[Figure]
    errors: list[str]
    trouble: dict[str, list[str]]

    @property
    def missed(self) -> list[Figure]:
        """The bounds that are missed."""
        return [figure for figure in self.figures if figure.verdict == "MISSED"]


def write_files(folder: Path, summary: Summary, plots: Sequence[Plot]) -> None:
    """Write the page and the JSON into a folder."""
    content = msgspec.json.format(msgspec.json.encode(summary), indent=2)
    (folder / JSON).write_bytes(content + b"\n")
    (folder / HTML).write_text(_write_page(summary, plots), encoding="utf-8")


def write_table(summary: Summary) -> str:
    """The report as text."""
    lines = [f"{summary.profile}: {summary.title}", _describe(summary), ""]
    width = max(len(figure.name) for figure in summary.figures)
    for figure in summary.figures:
        line = f"  {figure.name:<{width}} {_write(figure.value):>10} {figure.unit:<14}"
        if figure.verdict:
            line += f" {figure.bound}: {figure.verdict}"
        lines.append(line.rstrip())
    for kind, found in {"errors": summary.errors, **summary.trouble}.items():
        lines += [f"  {kind}: {one}" for one in found[:3]]
    return "\n".join([*lines, "", _conclude(summary)])


def _conclude(summary: Summary) -> str:
    if not summary.missed:
        return "Every bound holds: accepted = ended."
    return "MISSED: " + ", ".join(figure.name for figure in summary.missed) + "."


def _describe(summary: Summary) -> str:
    where = "a product of its own" if summary.is_own_product else "a product that ran already"
    machine = summary.machine
    host = f"; {machine.cpus} cores ({machine.cpu_model}), {machine.memory_gib:g} GiB" if machine else ""
    busy = (
        "; others use the machine as well (--busy), so that times are told and not held to" if summary.is_busy else ""
    )
    return (
        f"{summary.rate:.1f} events/s for {summary.seconds:g} s, {where}{host}; {summary.at:%Y-%m-%d %H:%M} UTC{busy}"
    )


def _write(value: float | None) -> str:
    if value is None:
        return "-"
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"  # noqa: PLR2004 - three digits do


def _write_page(summary: Summary, plots: Sequence[Plot]) -> str:
    rows = "".join(_write_row(figure) for figure in summary.figures)
    drawings = "".join(
        f"<section><h2>{escape(plot.title)} <small>{escape(plot.unit)}</small></h2>{draw(plot)}"
        f"<p class='note'>{escape(plot.note)}</p></section>"
        for plot in plots
    )
    kinds = {"errors": summary.errors, **summary.trouble}
    trouble = "".join(
        f"<h3>{escape(kind)}</h3><ul>{''.join(f'<li><code>{escape(one)}</code></li>' for one in found)}</ul>"
        for kind, found in kinds.items()
        if found
    )
    verdict = "bad" if summary.missed else "good"
    return _PAGE.format(
        title=escape(f"Load test {summary.profile}"),
        subtitle=escape(summary.title),
        described=escape(_describe(summary)),
        verdict=verdict,
        conclusion=escape(_conclude(summary)),
        rows=rows,
        plots=drawings,
        trouble=f"<section><h2>Trouble</h2>{trouble}</section>" if trouble else "",
        locust=LOCUST_HTML,
        json=JSON,
    )


def _write_row(figure: Figure) -> str:
    kind = {"MISSED": "bad", "goal missed": "poor", "holds": "good"}.get(figure.verdict, "")
    cells = (figure.name, _write(figure.value), figure.unit, figure.bound, figure.verdict)
    name, value, unit, bound, verdict = map(escape, cells)
    note = explain(figure.name)
    meaning = f"<br><small>{escape(note)}</small>" if note else ""
    return (
        f"<tr class='{kind}'><td>{name}{meaning}</td><td class='value'>{value}</td><td>{unit}</td><td>{bound}</td>"
        f"<td>{verdict}</td></tr>"
    )


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #111827 }}
h1 {{ margin: 0 }} h2 {{ font-size: 1.05rem; margin: 0 0 .3rem }} small, .note {{ color: #6b7280; font-weight: 400 }}
.conclusion {{ padding: .6rem 1rem; border-radius: .4rem; border-left: 6px solid }}
.conclusion.good {{ background: #ecfdf5; border-color: #059669 }}
.conclusion.bad {{ background: #fef2f2; border-color: #dc2626 }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .2rem .6rem; border-bottom: 1px solid #e5e7eb }}
.value {{ text-align: right; font-variant-numeric: tabular-nums }}
tr.bad td:last-child {{ color: #dc2626; font-weight: 700 }} tr.poor td:last-child {{ color: #b45309 }}
tr.good td:last-child {{ color: #047857 }}
.plots {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(30rem, 1fr)); gap: 1.5rem; margin-top: 2rem }}
svg {{ width: 100%; height: auto }} svg text {{ font-size: 11px; fill: #6b7280 }} .grid {{ stroke: #e5e7eb }}
.legend span {{ margin-right: 1rem; white-space: nowrap }} .legend, .note {{ margin: 0; font-size: .85rem }}
.legend i {{ display: inline-block; width: .8rem; height: .2rem; margin-right: .35rem; vertical-align: middle }}
</style></head><body>
<h1>{title}</h1>
<p>{subtitle}<br><small>{described}</small></p>
<p class="conclusion {verdict}">{conclusion}</p>
<table><thead><tr><th>Figure</th><th class="value">Value</th><th>Unit</th><th>Bound</th><th>Verdict</th></tr></thead>
<tbody>{rows}</tbody></table>
<div class="plots">{plots}</div>
{trouble}
<p>More: <a href="{locust}">Locust's own report</a>, <a href="{json}">the figures as JSON</a>.</p>
</body></html>
"""
