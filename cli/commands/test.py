"""`test`: everything that CI runs."""

from collections.abc import Mapping, Sequence

import click

from cli.report import progress
from cli.steps import LINT, run_pytest, run_steps
from cli.throwaway import throwaway_servers

# A bound for what hangs, well above the half hour that it takes on two cores. The long profiles have more.
BUDGET_SECONDS = 75 * 60
FULL_BUDGET_SECONDS = 180 * 60
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

    ARGUMENTS go to pytest, as in `./flowforge test tests/unit -k retry`; lint and types are then left out.

    With --faults, that share of all statements of the API, the relay and the workers under test fails, by a plan that
    the seed gives. With --full, the integration tests are run once more in this way.
    """
    failed = [] if arguments else run_steps(LINT)
    if failed:
        progress(f"failed before the tests: {', '.join(failed)}")
    budget = FULL_BUDGET_SECONDS if full else BUDGET_SECONDS
    extra = {NEED_BROWSER: "1"} if need_browser else {}
    with throwaway_servers() as addresses:
        tests = _run(addresses, full, faults, extra, [f"--session-timeout={budget}", *arguments])
        if full and not faults and not arguments:
            progress(f"the integration tests again, while statements fail ({FULL_FAULTS})")
            again = _run(addresses, False, FULL_FAULTS, extra, [f"--session-timeout={budget}", "tests/integration"])
            tests = tests or again
    return tests or (1 if failed else 0)


def _run(
    addresses: tuple[str, str], full: bool, faults: str, extra: Mapping[str, str], arguments: Sequence[str]
) -> int:
    database_url, redis_url = addresses
    return run_pytest(
        ["-m", "" if full else "not full", *arguments],
        {
            "FLOWFORGE_TEST_DATABASE_URL": database_url,
            "FLOWFORGE_TEST_REDIS_URL": redis_url,
            "FLOWFORGE_TEST_FAULTS": faults,
            "HYPOTHESIS_PROFILE": "full" if full else "default",
            **extra,
        },
    )
