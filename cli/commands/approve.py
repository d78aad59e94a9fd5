"""`approve`: decide an approval."""

import click

from cli.client.api import Api
from cli.client.deciding import decide
from cli.client.options import check_id, client_command


@click.command()
@click.argument("approval_id", metavar="APPROVAL", callback=check_id)
@click.option("--comment", metavar="TEXT", help="Why; the run sees it.")
@client_command
def command(api: Api, approval_id: str, comment: str | None) -> None:
    """Approve what a run asks for. `approvals` lists the ids."""
    decide(api, approval_id, "approved", comment)
