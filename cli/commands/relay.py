"""`relay`: one relay process."""

import click

from cli.foreground import run_role


@click.command()
def command() -> int:
    """Run one relay until SIGTERM, on FLOWFORGE_DATABASE_URL and FLOWFORGE_REDIS_URL."""
    return run_role("relay")
