"""`test`: everything that CI runs."""

import click

from cli.report import progress
from cli.steps import LINT, run_pytest, run_steps
from cli.throwaway import throwaway_servers

# A bound for what hangs, well above the quarter of an hour that it takes on two cores. The long profiles have more.
BUDGET_SECONDS = 45 * 60
FULL_BUDGET_SECONDS = 90 * 60


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.option("--full", is_flag=True, help="Also run the long profiles.")
@click.option("--faults", default="", metavar="RATE:SEED", help="Let statements fail, like 0.01:7.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(full: bool, faults: str, arguments: tuple[str, ...]) -> int:
    """Run the whole suite on a PostgreSQL and a Redis of its own.

    ARGUMENTS go to pytest, as in `./flowforge test tests/unit -k retry`; lint and types are then left out. With --faults,
    that share of all statements of the API, the relay and the workers under test fails, by a plan that the seed gives.
    """
    failed = [] if arguments else run_steps(LINT)
    if failed:
        progress(f"failed before the tests: {', '.join(failed)}")
    selection = ["-m", "" if full else "not full"]
    budget = f"--session-timeout={FULL_BUDGET_SECONDS if full else BUDGET_SECONDS}"
    with throwaway_servers() as (database_url, redis_url):
        tests = run_pytest(
            [*selection, budget, *arguments],
            {
                "FLOWFORGE_TEST_DATABASE_URL": database_url,
                "FLOWFORGE_TEST_REDIS_URL": redis_url,
                "FLOWFORGE_TEST_FAULTS": faults,
                "HYPOTHESIS_PROFILE": "full" if full else "default",
            },
        )
    return tests or (1 if failed else 0)
