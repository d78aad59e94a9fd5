"""What came of the tour, and where to look next: on stdout."""

from pathlib import Path
from shlex import quote
from typing import Final
from urllib.parse import urlsplit

import click
import msgspec

from cli.client.options import find_url
from cli.client.sessions import Sessions
from cli.client.telling import COLOURS, SYMBOLS, read_time, say_duration, say_error
from cli.demo.loading import Loaded
from cli.demo.place import ALLOW, Place
from cli.demo.tour import Shown

_DEFAULT_PORT: Final = 8000
_COFFEE: Final = '{"amount": 12, "by": "you@example.com", "what": "coffee"}'
_HOTEL: Final = '{"amount": 400, "by": "you@example.com", "what": "a hotel"}'


def print_results(shown: list[Shown]) -> None:
    """A line a run with what it gave, and one with the id by which other commands know it."""
    width = max(len(each.workflow) for each in shown)
    click.secho("\nResults", bold=True)
    for each in shown:
        run = each.run
        created, ended = read_time(run["created_at"]), read_time(run["finished_at"])
        took = say_duration((ended - created).total_seconds()) if created and ended else ""
        mark = click.style(f"{SYMBOLS[run['status']]} {run['status']}", fg=COLOURS[run["status"]])
        what = say_error(run["error"]) or msgspec.json.encode(run["output"]).decode()
        click.echo(f"  {mark}  {each.workflow.ljust(width)}  {took:>8}  {what}")
        click.secho(f"    run {run['id']}", dim=True)


def print_next(place: Place, shown: list[Shown], loaded: dict[str, Loaded], *, stays: bool) -> None:
    """Commands to go on with; `stays`: product and target go on running."""
    click.secho("\nWhere to look next", bold=True)
    if place.is_ours and not stays:
        _print_hint("The same again, and all of it stays until Ctrl-C:", _say_again(place))
        return
    # The other commands find the product as we do; where they would find another one, it is named.
    option = "" if find_url(None, Sessions()) == place.url else f" --url {place.url}"
    expense = f"./flowforge run {quote(loaded['expense-approval'].name)} --input"
    _print_hint(
        "Why each step of the order ran, waited or was skipped:", f"./flowforge logs {shown[0].run['id']}{option}"
    )
    _print_hint("All runs:", f"./flowforge runs{option}")
    _print_hint("A workflow as a file, to change and to import again:", _say_export(loaded, option))
    if stays:
        _print_hint("A small expense, paid at once:", f"{expense} '{_COFFEE}' --wait{option}")
        _print_hint(
            "A large one, that waits for a decision:",
            f"{expense} '{_HOTEL}' --wait{option}",
            f"./flowforge approvals{option}",
            f"./flowforge approve APPROVAL{option}",
        )
        _print_hint("An order of your own:", _say_delivery(loaded["order-processing"].hook or ""))
    _print_hint("The API describes itself:", f"{place.url}/openapi.json")


def explain_refusal(place: Place, target: str) -> None:
    """How the product is let call the demo's target."""
    click.secho(f"\nThe FlowForge at {place.url} may not call the demo's target.", bold=True, err=True)
    hints = (
        (
            "Start it again with the target allowed (beside what is allowed already):",
            f"{ALLOW}={target} ./flowforge up",
        ),
        (
            "Or leave it, and let the demo start one of its own:",
            "./flowforge demo --data-dir .flowforge-demo --port 8001",
        ),
    )
    for text, command in hints:
        click.echo(f"  {text}\n    {command}", err=True)


def _say_again(place: Place) -> str:
    folder = "" if place.folder == Path(".flowforge") else f" --data-dir {quote(str(place.folder))}"
    port = urlsplit(place.url).port
    return f"./flowforge demo{folder}" + ("" if port == _DEFAULT_PORT else f" --port {port}")


def _say_export(loaded: dict[str, Loaded], option: str) -> str:
    return f"./flowforge export {quote(loaded['order-processing'].name)}{option}"


def _say_delivery(hook: str) -> str:
    return f"""curl -sS {hook} -H 'Content-Type: application/json' -d '{{"order_id": "42"}}'"""


def _print_hint(text: str, *commands: str) -> None:
    click.echo(f"  {text}")
    for command in commands:
        click.secho(f"    {command}", fg="cyan")
