"""`cancel`: stop a run."""

import click

from cli.client.api import Api
from cli.client.options import check_id, client_command
from cli.client.runs import watch_run
from cli.report import progress


@click.command()
@click.argument("run_id", metavar="RUN", callback=check_id)
@click.option("--wait", is_flag=True, help="Watch it until it has ended.")
@client_command
def command(api: Api, run_id: str, wait: bool) -> int:
    """Stop a run at whatever it does."""
    seq = api.get(f"/v1/runs/{run_id}")["last_seq"]
    api.post(f"/v1/runs/{run_id}/cancel")
    progress(f"run {run_id} is being cancelled")
    if wait and (run := watch_run(api, run_id, after=seq)) is not None:
        progress(f"run {run_id} {run['status']}")
        return 0 if run["status"] == "cancelled" else 1
    return 0
