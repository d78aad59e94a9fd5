"""What the commands of the client have in common: where the product is, who asks, and how errors end."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cli.client.api import Api
from cli.client.errors import INTERRUPTED, ClientError
from cli.client.names import is_id
from cli.client.sessions import Sessions
from cli.client.wire import normalise_url
from cli.report import progress
from cli.run_file import RunFile

DEFAULT_URL = "http://127.0.0.1:8000"


def check_id(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """For `callback=`: what cannot be an id, as the product gives them, is not asked for."""
    if value is not None and not is_id(value):
        lister = "approvals" if parameter.name == "approval_id" else "runs"
        raise click.BadParameter(f"{value!r} is no id; `./flowforge {lister}` lists them.")
    return value


def client_command(function: Callable[..., int | None]) -> Callable[..., int]:
    """Give a command `--url` and `--token`, an Api as its first argument, and one line for what goes wrong."""

    @click.option("--url", help="The product's address (FLOWFORGE_URL; else where you signed in last, else here).")
    @click.option("--token", help="An API key (FLOWFORGE_API_KEY); else what `login` keeps.")
    @functools.wraps(function)
    def run(*arguments: Any, url: str | None, token: str | None, **options: Any) -> int:
        def call() -> int | None:
            return function(open_api(url, token), *arguments, **options)

        return end_well(call)

    return run


def end_well(call: Callable[[], int | None]) -> int:
    """The exit code of a command: what fails is one line on stderr, and no traceback."""
    try:
        return call() or 0
    except ClientError as error:
        progress(str(error))
        return error.code
    except KeyboardInterrupt:
        progress("interrupted")
        return INTERRUPTED


def open_api(url: str | None, token: str | None = None) -> Api:
    """The API that the options or the environment name; raises ClientError."""
    sessions = Sessions()
    return Api(find_url(url, sessions), sessions, token or os.environ.get("FLOWFORGE_API_KEY") or None)


def find_url(url: str | None, sessions: Sessions) -> str:
    """The address of the product: as named, else where one signed in last, else of the product that runs here."""
    named = url or os.environ.get("FLOWFORGE_URL")
    return normalise_url(named or sessions.current or find_local_url() or DEFAULT_URL)


def find_local_url(data_dir: str | None = None) -> str:
    """The address of the product that runs on this data folder; empty where none does."""
    folder = data_dir or os.environ.get("FLOWFORGE_DATA_DIR") or ".flowforge"
    return str(RunFile(Path(folder) / "run.json").read().get("url", ""))
