"""`retry`: let a run go on from where it failed."""

import click

from cli.client.api import Api
from cli.client.options import check_id, client_command
from cli.client.runs import finish, watch_run
from cli.report import progress


@click.command()
@click.argument("run_id", metavar="RUN", callback=check_id)
@click.option("--wait", is_flag=True, help="Watch it until it ends; its output goes to stdout.")
@click.option("--json", "as_json", is_flag=True, help="With --wait: the whole run as JSON, for programs.")
@client_command
def command(api: Api, run_id: str, wait: bool, as_json: bool) -> int:
    """Let an ended run go on from its failed steps; what succeeded is kept."""
    seq = api.get(f"/v1/runs/{run_id}")["last_seq"]
    api.post(f"/v1/runs/{run_id}/retry")
    progress(f"run {run_id} goes on")
    return finish(watch_run(api, run_id, after=seq), as_json=as_json) if wait else 0
