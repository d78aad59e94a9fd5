"""`import`: workflows from files."""

import click

from cli.client.api import Api
from cli.client.errors import REFUSED
from cli.client.importing import import_file, publish_all
from cli.client.names import read_file
from cli.client.options import client_command
from cli.client.runs import print_json


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--publish", is_flag=True, help="Publish what has no problems.")
@click.option("--new", "is_new", is_flag=True, help="Always make new workflows, also where one has the name.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@client_command
def command(api: Api, files: tuple[str, ...], publish: bool, is_new: bool, as_json: bool) -> int:
    """Save the workflows of FILEs (YAML or JSON; - is stdin) as drafts.

    A workflow of the same name gets the file as its draft. A definition alone is named after its file. Code 1 if a
    draft has problems.
    """
    # All are read before the first is sent.
    contents = [(file, read_file(file)) for file in files]
    items = [item for file, content in contents for item in import_file(api, file, content, is_new=is_new)]
    problems = sum(len(item["problems"]) for item in items)
    if publish:
        publish_all(api, items)
    if as_json:
        print_json({"items": items})
    return REFUSED if problems else 0
