"""`logs`: a run's events."""

from collections.abc import Iterator
from typing import Any

import click
import msgspec

from cli.client.api import Api
from cli.client.following import follow_run
from cli.client.options import check_id, client_command
from cli.client.telling import read_time, say_run, say_step


@click.command()
@click.argument("run_id", metavar="RUN", callback=check_id)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@click.option("--json", "as_json", is_flag=True, help="One event a line as JSON, for programs.")
@client_command
def command(api: Api, run_id: str, follow: bool, as_json: bool) -> None:
    """Show what happened in a run, event by event."""
    for event in _events(api, run_id, follow):
        if event["seq"] is None:
            # A hint of an attempt's start: the journal does not hold it.
            continue
        click.echo(msgspec.json.encode(event).decode() if as_json else _say(event))


def _events(api: Api, run_id: str, follow: bool) -> Iterator[dict[str, Any]]:
    seq = 0
    for event in api.pages(f"/v1/runs/{run_id}/events"):
        seq = event["seq"]
        yield event
    if follow and api.get(f"/v1/runs/{run_id}")["finished_at"] is None:
        yield from follow_run(api, run_id, seq)


def _say(event: dict[str, Any]) -> str:
    at = read_time(event["at"])
    clock = at.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if at else ""
    step = event["data"].get("step")
    return f"{clock} {event['seq']:>5}  " + (f"{step}  {say_step(event)}" if step else f"run {say_run(event)}")
