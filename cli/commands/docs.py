"""`docs`: write the pages that are made from the code."""

import click

from cli import access, lifecycle


@click.command(hidden=True)
def command() -> None:
    """Write docs/lifecycle.md from the transition tables, and the table of access into docs/security.md."""
    for page, text in ((lifecycle.PAGE, lifecycle.make_lifecycle()), (access.PAGE, access.make_page())):
        page.write_text(text)
        click.echo(f"wrote {page.relative_to(lifecycle.ROOT)}")
