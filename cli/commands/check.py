"""`check`: what is quick to know."""

import time

import click

from cli.steps import LINT, run_pytest, run_steps


@click.command()
def command() -> int:
    """Lint, types, import contracts, unit and architecture tests: no server needed."""
    failed = run_steps(LINT)
    started = time.monotonic()
    tests = run_pytest(["tests/unit", "tests/architecture", "-q"])
    if tests != 0:
        failed.append("tests")
    click.echo(f"{'tests':<18} {'ok' if tests == 0 else 'FAILED':<6} {time.monotonic() - started:5.1f} s")
    click.echo(f"failed: {', '.join(failed)}" if failed else "all ok")
    return 1 if failed else 0
