"""`ui`: work on the web app."""

import os
import subprocess
from pathlib import Path

import click

from cli.report import fail, progress
from cli.ui_bundle import ensure_bundle
from cli.ui_lint import lint_sources
from cli.ui_toolchain import UI, UiError, ensure_node, ensure_packages


@click.group(invoke_without_command=False)
def command() -> None:
    """Build the web app, or work on it (`up` builds it by itself)."""


@command.command()
def build() -> int:
    """Build the web app, unless it is there as its sources are."""
    try:
        ensure_bundle()
    except UiError as error:
        fail(str(error), 1)
    return 0


@command.command()
def types() -> int:
    """Write the types of the API into ui/src/generated/, after the API was changed."""
    from cli.ui_types import TYPES, make_types  # noqa: PLC0415 - loads the whole API

    try:
        TYPES.write_text(make_types())
    except UiError as error:
        fail(str(error), 1)
    progress(f"wrote {TYPES.relative_to(UI.parent)}")
    return 0


@command.command()
def lint() -> int:
    """Check the sources of the web app by the rules of ui/lint/."""
    try:
        lint_sources()
    except UiError as error:
        fail(str(error), 1)
    progress("the linter finds no fault")
    return 0


@command.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Folder for them (docs/screenshots).")
def pictures(folder: Path | None) -> int:
    """Take pictures of every page in both themes, on a product that is started for it."""
    from cli.client.errors import ClientError  # noqa: PLC0415 - loads the client
    from cli.ui_pictures import FOLDER, take_pictures  # noqa: PLC0415 - loads the client

    try:
        take_pictures(folder or FOLDER)
    except (UiError, ClientError) as error:
        fail(str(error), 1)
    progress(f"wrote the pictures into {folder or FOLDER}")
    return 0


@command.command()
@click.option("--api", default="http://127.0.0.1:8000", show_default=True, help="Address of the running product.")
@click.option("--port", default=5173, show_default=True, help="Port of the pages.")
def dev(api: str, port: int) -> int:
    """Serve the web app from its sources, changes at once, against a product that runs."""
    try:
        node = ensure_node()
        ensure_packages(node)
    except UiError as error:
        fail(str(error), 1)
    vite = UI / "node_modules" / "vite" / "bin" / "vite.js"
    arguments: list[str | Path] = [node.program, vite, "--port", str(port), "--strictPort", "--host", "127.0.0.1"]
    environment = {**os.environ, **node.environment, "FLOWFORGE_DEV_API": api}
    try:
        return subprocess.run(arguments, cwd=UI, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 0
