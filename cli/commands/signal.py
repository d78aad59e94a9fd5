"""`signal`: send a signal to a run."""

from typing import Any

import click

from cli.client.api import Api
from cli.client.names import read_json
from cli.client.options import check_id, client_command
from cli.report import progress


@click.command()
@click.argument("run_id", metavar="RUN", callback=check_id)
@click.argument("name", metavar="NAME")
@click.option("--payload", metavar="JSON|@FILE", help="What the step that waits for it gives; @- is stdin.")
@client_command
def command(api: Api, run_id: str, name: str, payload: str | None) -> None:
    """Send a signal; one that comes before its `wait` step is kept."""
    body: dict[str, Any] = {"name": name}
    if payload is not None:
        body["payload"] = read_json(payload, "--payload")
    api.post(f"/v1/runs/{run_id}/signal", body)
    progress(f"run {run_id} is sent {name!r}")
