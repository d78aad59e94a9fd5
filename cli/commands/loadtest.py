"""`loadtest`: whether every event is accounted for, at a rate that is asked for."""

import math
import sys
from pathlib import Path

import click

from cli.client.options import end_well
from cli.report import progress


def _check_finite(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    """For `callback=`: what is no number compares with no bound."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number that can be counted to.")
    return value


@click.command()
@click.argument("name", metavar="[PROFILE]", default="events")
@click.option("--url", help="A product that runs on this machine; else one is started for this, on free ports.")
@click.option("--token", help="With --url: an API key (FLOWFORGE_API_KEY); else what `login` keeps.")
@click.option("--rate", type=click.FloatRange(0.1), callback=_check_finite, help="Events a second; else the profile's.")
@click.option("--seconds", type=click.FloatRange(1), callback=_check_finite, help="So long; else as the profile says.")
@click.option("--busy", is_flag=True, help="The machine does other things: times are told, and fail only when absurd.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="build/loadtests/PROFILE.")
def command(
    name: str,
    url: str | None,
    token: str | None,
    rate: float | None,
    seconds: float | None,
    busy: bool,
    output: Path | None,
) -> int:
    """Send events by Locust at a constant rate, and check that every one that was accepted ended as it should.

    PROFILE is events (the default), burst, mixed, soak or minute: docs/operations/load-tests.md. Writes report.html,
    locust.html and summary.json. Code 1 if a bound is missed.
    """
    if sys.platform != "linux":
        raise click.UsageError("loadtest reads CPU and memory from /proc, which only Linux has.")
    try:
        # Only here: a package of the product has no load tests, and Locust is no dependency of it.
        from loadtests.api import RefusedCall  # noqa: PLC0415 - not in packages
        from loadtests.locust_process import LocustFailed  # noqa: PLC0415 - not in packages
        from loadtests.profiles import MOST_EVENTS, MOST_RATE, PROFILES  # noqa: PLC0415 - not in packages
        from loadtests.runner import Options, adjust, run_load_test  # noqa: PLC0415 - not in packages
    except ModuleNotFoundError as error:
        raise click.UsageError(f"loadtest runs from a clone of the repository: {error}.") from None
    if name not in PROFILES:
        raise click.UsageError(f"There is no profile {name!r}. There are: {', '.join(PROFILES)}.")
    profile = adjust(PROFILES[name], rate, seconds)
    if profile.rate > MOST_RATE or profile.seconds > profile.most_seconds:
        raise click.UsageError(
            f"{name} sends at most {MOST_RATE} events a second, for at most {profile.most_seconds} seconds."
        )
    if profile.rate * profile.seconds > MOST_EVENTS:
        raise click.UsageError(f"A load test sends at most {MOST_EVENTS:,} events.")
    if token is not None and url is None:
        raise click.UsageError("--token is for the product that --url names; one that is started for this has its own.")
    folder = _make_folder(output or Path("build") / "loadtests" / name)
    options = Options(name=name, profile=profile, folder=folder, url=url, token=token, is_busy=busy)

    def run() -> int:
        try:
            return run_load_test(options)
        except (LocustFailed, RefusedCall) as error:
            progress(str(error))
            return 2

    return end_well(run)


def _make_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"--output {path}: {error.strerror}.") from None
    return path
