"""`approvals`: what runs ask people for."""

from itertools import islice
from typing import Any

import click

from cli.client.api import Api
from cli.client.options import check_id, client_command
from cli.client.runs import print_json
from cli.client.telling import read_time

STATUSES = ("pending", "approved", "rejected", "timed_out", "cancelled", "all")
LONGEST_MESSAGE = 80


@click.command()
@click.option("--status", type=click.Choice(STATUSES), default="pending", show_default=True, help="In this status.")
@click.option("--run", "run_id", metavar="RUN", callback=check_id, help="Of this run alone.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@client_command
def command(api: Api, status: str, run_id: str | None, limit: int, as_json: bool) -> None:
    """List approvals, the newest first. Decide them with `approve` and `reject`."""
    query = {"status": None if status == "all" else status, "run_id": run_id, "limit": limit}
    items = list(islice(api.pages("/v1/approvals", **query), limit))
    if as_json:
        print_json({"items": items})
        return
    if not items:
        click.echo("No approvals." if status == "all" else f"No approvals are {status.replace('_', ' ')}.")
        return
    click.echo(f"{'APPROVAL':<36}  {'STATUS':<9}  {'ASKED':<19}  {'UNTIL':<19}  WORKFLOW  MESSAGE")
    for approval in items:
        click.echo(_say(approval))


def _say(approval: dict[str, Any]) -> str:
    message = " ".join(approval["message"].split())
    if len(message) > LONGEST_MESSAGE:
        message = message[: LONGEST_MESSAGE - 1].rstrip() + "…"
    asked, due = (_say_time(approval[name]) for name in ("created_at", "due_at"))
    return (
        f"{approval['id']}  {approval['status']:<9}  {asked:<19}  {due:<19}  {approval['workflow_name']}  "
        f"{approval['step_id']}: {message}"
    )


def _say_time(text: str | None) -> str:
    moment = read_time(text)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""
