"""`docs`: write the pages that are made from the code."""

import click

from cli.lifecycle import PAGE, ROOT, make_lifecycle


@click.command(hidden=True)
def command() -> None:
    """Write docs/lifecycle.md from the transition tables."""
    PAGE.write_text(make_lifecycle())
    click.echo(f"wrote {PAGE.relative_to(ROOT)}")
