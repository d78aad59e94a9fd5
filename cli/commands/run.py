"""`run`: start a run, and watch it."""

import click

from cli.client.api import Api
from cli.client.names import find_workflow, read_json
from cli.client.options import client_command
from cli.client.runs import tell_start


@click.command()
@click.argument("workflow", metavar="ID|NAME")
@click.option("--input", "given", metavar="JSON|@FILE", help="What the run is started with; @- is stdin.")
@click.option("--version", type=click.IntRange(min=1), help="A version other than the published one.")
@click.option("--wait", is_flag=True, help="Watch it until it ends; its output goes to stdout.")
@click.option("--json", "as_json", is_flag=True, help="The whole run as JSON, for programs.")
@client_command
def command(api: Api, workflow: str, given: str | None, version: int | None, wait: bool, as_json: bool) -> int:
    """Start a run of a published workflow.

    Code 0 if it succeeded (or, without --wait, was accepted), 1 if it failed, 3 if it was cancelled, 4 if it timed out.
    Ctrl-C ends the watching, not the run.
    """
    read = read_json(given, "--input")
    found = find_workflow(api, workflow)
    body = {} if read is None else {"input": read}
    if version is not None:
        body["version"] = version
    run_id = api.post(f"/v1/workflows/{found['id']}/runs", body)["run_id"]
    return tell_start(api, run_id, f"run {run_id} of {found['name']!r}", wait=wait, as_json=as_json)
