"""Runs benches one after the other on one stage, and tells what came of them."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import uvloop

from cli.bench.benches import BENCHES
from cli.bench.figures import BenchFailed
from cli.bench.report import Outcome, Report, describe_machine, now, write_table
from cli.bench.stage import Stage, open_stage, watch_noise
from cli.report import progress


def run_benches(names: Sequence[str], json_file: Path | None, *, is_quick: bool) -> int:
    """Run the benches of these names, print the table, write the JSON; the exit code."""
    report = uvloop.run(_run(names, is_quick=is_quick))
    click.echo(write_table(report))
    if json_file:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return 1 if any(outcome.error for outcome in report.benches) else 0


async def _run(names: Sequence[str], *, is_quick: bool) -> Report:
    progress("starting the product to measure")
    async with open_stage(is_quick=is_quick) as stage:
        machine = describe_machine(await stage.ledger.version(), await stage.product.redis_version())
        return Report(
            at=now(), is_quick=is_quick, machine=machine, benches=[await _run_one(stage, name) for name in names]
        )


async def _run_one(stage: Stage, name: str) -> Outcome:
    progress(f"measuring {name}")
    load_before, began = os.getloadavg()[0], time.monotonic()
    figures, error = [], None
    with watch_noise(stage) as noise:
        try:
            figures = await BENCHES[name](stage)
        except BenchFailed as failure:
            error = str(failure)
    return Outcome(
        name=name,
        seconds=time.monotonic() - began,
        load_before=load_before,
        load_after=os.getloadavg()[0],
        others_percent=noise.percent,
        figures=figures,
        error=error,
    )
