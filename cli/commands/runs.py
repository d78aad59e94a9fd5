"""`runs`: the latest runs."""

from itertools import islice
from typing import Any

import click

from cli.client.api import Api
from cli.client.names import find_workflow
from cli.client.options import client_command
from cli.client.runs import print_json
from cli.client.telling import COLOURS, read_time, say_duration, say_error

STATUSES = ("queued", "running", "waiting", "succeeded", "failed", "cancelled", "timed_out")


@click.command()
@click.option("--workflow", metavar="ID|NAME", help="Of this workflow alone.")
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="In this status; may be repeated.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@client_command
def command(api: Api, workflow: str | None, status: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List runs, the newest first."""
    workflow_id = find_workflow(api, workflow)["id"] if workflow else None
    query = {"workflow_id": workflow_id, "status": ",".join(status) or None, "limit": limit}
    items = list(islice(api.pages("/v1/runs", **query), limit))
    if as_json:
        print_json({"items": items})
        return
    if not items:
        click.echo("No runs.")
        return
    click.echo(f"{'RUN':<36}  {'STATUS':<9}  {'STARTED':<19}  {'TOOK':>10}  WORKFLOW")
    for run in items:
        click.echo(_say(run))


def _say(run: dict[str, Any]) -> str:
    created, ended = read_time(run["created_at"]), read_time(run["finished_at"])
    started = created.astimezone().strftime("%Y-%m-%d %H:%M:%S") if created else ""
    took = say_duration((ended - created).total_seconds()) if created and ended else ""
    status = click.style(f"{run['status']:<9}", fg=COLOURS[run["status"]])
    error = f"  {say_error(run['error'])}" if run["error"] else ""
    return f"{run['id']}  {status}  {started:<19}  {took:>10}  {run['workflow_name']}{error}"
