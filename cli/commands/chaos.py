"""`chaos`: whether it loses anything, here and now."""

import sys
from pathlib import Path

import click


@click.command()
@click.option("--seconds", type=click.FloatRange(1, 1800), default=180.0, help="How long to break it (180).")
@click.option("--seed", type=click.IntRange(min=0), help="Order and victims of the faults; default: chosen, and told.")
@click.option("--faults", metavar="NAME,…", help="Only these kinds, or `short` for a quick choice; default: all.")
@click.option("--rate", type=click.FloatRange(0.1, 1000), default=10.0, help="Runs started a second (10).")
@click.option("--kill-every", type=click.FloatRange(0.5), help="Also kill any process every so many seconds.")
@click.option(
    "--strict/--no-strict",
    default=None,
    help="Whether a missed goal of recovery fails; default: from 300 seconds on, on a machine that others leave alone.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Also write JSON there.")
@click.option("--keep", is_flag=True, help="Keep logs and ledger; they are kept as well where something is wrong.")
def command(
    seconds: float,
    seed: int | None,
    faults: str | None,
    rate: float,
    kill_every: float | None,
    strict: bool | None,
    json_file: Path | None,
    keep: bool,
) -> int:
    """Break a product of its own, started for this on free ports, and check that nothing accepted is lost.

    Kills and freezes processes, crashes and empties servers, cuts connections and loses answers, all under load; every
    kind at least once. Code 1 if an invariant is broken or a kind of fault could never be done: docs/reliability.md.
    """
    if sys.platform != "linux":
        raise click.UsageError("chaos reads memory from /proc, which only Linux has.")
    # Only here: what it loads is for Linux, and the other commands, whose help lists this one, run elsewhere too.
    from cli.chaos.nemesis import DEFAULT, FAULTS, SHORT  # noqa: PLC0415 - for Linux alone
    from cli.chaos.report import write_text  # noqa: PLC0415 - for Linux alone
    from cli.chaos.runner import Options, choose_seed, run_chaos  # noqa: PLC0415 - for Linux alone

    names = list(DEFAULT) if faults is None else list(SHORT) if faults == "short" else faults.split(",")
    if unknown := set(names) - FAULTS.keys():
        raise click.UsageError(f"There is no fault {', '.join(sorted(unknown))}. There are: {', '.join(FAULTS)}.")
    report = run_chaos(
        Options(
            seconds=seconds,
            seed=choose_seed() if seed is None else seed,
            faults=names,
            rate=rate,
            kill_every=kill_every,
            strict=strict,
            keep=keep,
            json_file=json_file,
        )
    )
    click.echo(write_text(report))
    return 0 if report.has_passed else 1
