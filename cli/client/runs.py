"""Watching a run to its end."""

from collections.abc import Callable
from typing import Any, Final

import click
import msgspec

from cli.client.api import Api
from cli.client.board import Board
from cli.client.errors import INTERRUPTED, REFUSED
from cli.client.following import follow_in_background
from cli.client.telling import read_time, say_duration, say_error
from cli.report import progress

# What the program ends with, by the run's status.
CODES: Final = {"succeeded": 0, "failed": REFUSED, "cancelled": 3, "timed_out": 4}


def watch_run(api: Api, run_id: str, *, after: int = 0) -> dict[str, Any] | None:
    """Show the run until it ends, and give it as it then is; None where Ctrl-C came first, and the run goes on."""
    try:
        return show_run(api, run_id, after=after)
    except KeyboardInterrupt:
        progress(f"The run goes on. See it: ./flowforge logs {run_id} --follow. Stop it: ./flowforge cancel {run_id}.")
        return None


def show_run(
    api: Api, run_id: str, *, after: int = 0, answer: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, Any]:
    """Show the run until it ends, and give it as it then is.

    `answer` is called with each of its events; it must not use `api`, which is at work.
    """
    board = Board(api.get(f"/v1/runs/{run_id}")["steps"])
    try:
        for event in follow_in_background(api, run_id, after):
            board.show(event)
            if answer is not None and event is not None and event["seq"] is not None:
                answer(event)
    finally:
        board.close()
    run: dict[str, Any] = api.get(f"/v1/runs/{run_id}")
    return run


def tell_start(api: Api, run_id: str, told: str, *, wait: bool, as_json: bool) -> int:
    """Name a run that was started on stdout; with `wait`, say what was `told` and watch it. The exit code."""
    if wait:
        progress(told)
        return finish(watch_run(api, run_id), as_json=as_json)
    if as_json:
        print_json({"run_id": run_id})
    else:
        click.echo(run_id)
    return 0


def finish(run: dict[str, Any] | None, *, as_json: bool) -> int:
    """Print what became of a watched run, its output on stdout, and give the exit code."""
    if run is None:
        return INTERRUPTED
    if as_json:
        print_json(run)
    else:
        progress(_say_end(run))
        if run["status"] == "succeeded":
            print_json(run["output"])
    return CODES.get(run["status"], REFUSED)


def print_json(value: Any) -> None:
    """A value on stdout, for people and programs."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _say_end(run: dict[str, Any]) -> str:
    started, ended = read_time(run["created_at"]), read_time(run["finished_at"])
    spent = f" in {say_duration((ended - started).total_seconds())}" if started and ended else ""
    reason = f": {say_error(run['error'])}" if run["error"] else ""
    return f"run {run['id']} {run['status'].replace('_', ' ')}{spent}{reason}"
