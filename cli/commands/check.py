"""`check`: what is quick to know."""

import time
from concurrent.futures import ThreadPoolExecutor

import click

from cli.security.steps import SECURITY
from cli.steps import LINT, run_pytest, run_steps


@click.command()
def command() -> int:
    """Lint, types, import contracts, security rules, unit and architecture tests: no server and no network needed."""
    with ThreadPoolExecutor(1) as beside:
        security = beside.submit(run_steps, SECURITY)
        failed = run_steps(LINT) + security.result()
    started = time.monotonic()
    tests = run_pytest(["tests/unit", "tests/architecture", "-q"])
    if tests != 0:
        failed.append("tests")
    click.echo(f"{'tests':<18} {'ok' if tests == 0 else 'FAILED':<6} {time.monotonic() - started:5.1f} s")
    click.echo(f"failed: {', '.join(failed)}" if failed else "all ok")
    return 1 if failed else 0
