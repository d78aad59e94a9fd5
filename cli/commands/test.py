"""`test`: everything that CI runs."""

import tempfile
from collections.abc import Mapping, Sequence

import click

from cli.report import progress
from cli.security.steps import check_sources
from cli.steps import pytest_beside, run_pytest
from cli.throwaway import throwaway_servers

# A bound for what hangs, well above what it takes on two cores. The long profiles have more.
BUDGET_SECONDS = 75 * 60
FULL_BUDGET_SECONDS = 180 * 60
# What starts products of its own waits more than it computes: it runs beside all the rest, each on servers of its own.
PRODUCT_TESTS = ("tests/e2e", "tests/chaos", "tests/migration", "tests/ui")
OTHER_TESTS = ("tests", *(f"--ignore={folder}" for folder in PRODUCT_TESTS))
# What the integration tests go through once more, where the long profiles are asked for.
FULL_FAULTS = "0.01:20261126"
# What the tests of the web app ask for.
NEED_BROWSER = "FLOWFORGE_TEST_NEED_BROWSER"


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.option("--full", is_flag=True, help="Also run the long profiles.")
@click.option("--faults", default="", metavar="RATE:SEED", help="Let statements fail, like 0.01:7.")
@click.option("--need-browser", is_flag=True, help="Fail, rather than skip, where there is no browser.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(full: bool, faults: str, need_browser: bool, arguments: tuple[str, ...]) -> int:
    """Run the whole suite on a PostgreSQL and a Redis of its own.

    ARGUMENTS go to pytest, as in `./flowforge test tests/unit -k retry`; lint, types and security
    rules are then left out.

    With --faults, that share of all statements of the API, the relay and the workers under test fails, by a plan that
    the seed gives. With --full, the integration tests are run once more in this way.
    """
    failed = [] if arguments else check_sources()
    if failed:
        progress(f"failed before the tests: {', '.join(failed)}")
    budget = f"--session-timeout={FULL_BUDGET_SECONDS if full else BUDGET_SECONDS}"
    extra = {"HYPOTHESIS_PROFILE": "full" if full else "default"} | ({NEED_BROWSER: "1"} if need_browser else {})
    if full or faults or arguments:
        tests = _run(["-m", "" if full else "not full", budget, *arguments], extra, faults)
    else:
        tests = _run_side_by_side(["-m", "not full", budget], extra)
    if full and not faults and not arguments:
        progress(f"the integration tests again, while statements fail ({FULL_FAULTS})")
        extra |= {"HYPOTHESIS_PROFILE": "default"}
        again = _run(["-m", "not full", budget, "tests/integration"], extra, FULL_FAULTS)
        tests = tests or again
    return tests or (1 if failed else 0)


def _run_side_by_side(arguments: Sequence[str], extra: Mapping[str, str]) -> int:
    """Both halves at once: the output of one as it comes, that of the other at its end."""
    with tempfile.TemporaryFile() as output:
        with (
            throwaway_servers() as addresses,
            pytest_beside([*arguments, *OTHER_TESTS], _environment(addresses, extra), output) as others,
        ):
            products = _run([*arguments, *PRODUCT_TESTS], extra)
            progress("waiting for the other tests")
            rest = others.wait()
        progress("the other tests, which ran meanwhile")
        output.seek(0)
        click.echo(output.read().decode(errors="replace"))
    return products or rest


def _run(arguments: Sequence[str], extra: Mapping[str, str], faults: str = "") -> int:
    with throwaway_servers() as addresses:
        return run_pytest(arguments, {**_environment(addresses, extra), "FLOWFORGE_TEST_FAULTS": faults})


def _environment(addresses: tuple[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    database_url, redis_url = addresses
    return {"FLOWFORGE_TEST_DATABASE_URL": database_url, "FLOWFORGE_TEST_REDIS_URL": redis_url, **extra}
