"""`export`: a workflow as a file."""

from pathlib import Path

import click

from cli.client.api import Api
from cli.client.errors import UNUSABLE, ClientError
from cli.client.names import find_workflow
from cli.client.options import client_command


@click.command()
@click.argument("workflow", metavar="ID|NAME")
@click.option("--format", "written_in", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write there, not to stdout.")
@client_command
def command(api: Api, workflow: str, written_in: str, output: Path | None) -> None:
    """Write the draft of a workflow and its triggers, without secrets, as `import` takes it."""
    found = find_workflow(api, workflow)
    content = api.call("GET", f"/v1/workflows/{found['id']}/export", query={"format": written_in}).body
    if output is None:
        click.echo(content, nl=False)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise ClientError(f"{output} cannot be written: {error.strerror}.", UNUSABLE) from None
