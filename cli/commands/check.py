"""`check`: what is quick to know."""

import time

import click

from cli.security.steps import check_sources
from cli.steps import run_pytest


@click.command()
def command() -> int:
    """Lint, types, import contracts, security rules, unit and architecture tests: no server and no network needed."""
    failed = check_sources()
    started = time.monotonic()
    tests = run_pytest(["tests/unit", "tests/architecture", "-q"])
    if tests != 0:
        failed.append("tests")
    click.echo(f"{'tests':<18} {'ok' if tests == 0 else 'FAILED':<6} {time.monotonic() - started:5.1f} s")
    click.echo(f"failed: {', '.join(failed)}" if failed else "all ok")
    return 1 if failed else 0
