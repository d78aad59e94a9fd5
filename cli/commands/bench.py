"""`bench`: how fast it is, here and now."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Also write JSON there.")
@click.option("--quick", is_flag=True, help="Fewer repetitions: less than a minute, rougher figures.")
def command(names: tuple[str, ...], json_file: Path | None, quick: bool) -> int:
    """Measure a product of its own, started for this on free ports, with its processes and servers.

    All benches, or those named: see docs/performance.md. Code 1 if one of them could not be measured; a missed goal
    is only shown.
    """
    if sys.platform != "linux":
        raise click.UsageError("bench reads CPU and memory from /proc, which only Linux has.")
    # Only here: what it loads is for Linux.
    from cli.bench.benches import BENCHES  # noqa: PLC0415 - for Linux only
    from cli.bench.runner import run_benches  # noqa: PLC0415 - for Linux only

    if unknown := set(names) - BENCHES.keys():
        raise click.UsageError(f"There is no bench {', '.join(sorted(unknown))}. There are: {', '.join(BENCHES)}.")
    return run_benches([name for name in BENCHES if not names or name in names], json_file, is_quick=quick)
