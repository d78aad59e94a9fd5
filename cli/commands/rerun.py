"""`rerun`: start a run that repeats another one."""

from typing import Any

import click

from cli.client.api import Api
from cli.client.names import read_json
from cli.client.options import check_id, client_command
from cli.client.runs import tell_start


@click.command()
@click.argument("run_id", metavar="RUN", callback=check_id)
@click.option("--input", "given", metavar="JSON|@FILE", help="Another input than the original's; @- is stdin.")
@click.option(
    "--version",
    type=click.Choice(["same", "latest"]),
    default="same",
    show_default=True,
    help="Of the workflow: the original's, or the one published now.",
)
@click.option("--from-step", metavar="STEP", help="Begin at this step; what came before it is taken over.")
@click.option("--wait", is_flag=True, help="Watch it until it ends; its output goes to stdout.")
@click.option("--json", "as_json", is_flag=True, help="The whole run as JSON, for programs.")
@client_command
def command(
    api: Api, run_id: str, given: str | None, version: str, from_step: str | None, wait: bool, as_json: bool
) -> int:
    """Start a new run that repeats an ended one. Exit codes are those of `run`."""
    body: dict[str, Any] = {"version": version}
    if given is not None:
        body["input"] = read_json(given, "--input")
    if from_step is not None:
        body["from_step"] = from_step
    started: str = api.post(f"/v1/runs/{run_id}/rerun", body)["run_id"]
    return tell_start(api, started, f"run {started} repeats run {run_id}", wait=wait, as_json=as_json)
