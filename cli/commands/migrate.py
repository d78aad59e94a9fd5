"""`migrate`: bring the database to the newest revision."""

import click

from cli.migrations import migrate
from engine.infra.settings import load_settings


@click.command()
def command() -> None:
    """Bring the database of FLOWFORGE_DATABASE_URL to the newest revision, and print what was applied."""
    applied = migrate(load_settings())
    for revision in applied:
        click.echo(f"applied {revision}")
    if not applied:
        click.echo("nothing to apply: the database is up to date")
