"""`restore`: everything out of one file."""

import asyncio
from pathlib import Path

import click

from cli.backup.place import name_key, open_database
from cli.backup.restoring import examine, restore
from cli.migrations import head
from cli.report import progress
from engine.infra.settings import load_settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data-dir", help="Data folder of the product (FLOWFORGE_DATA_DIR, .flowforge); made where it is missing."
)
def command(file: Path, data_dir: str | None) -> None:
    """Check FILE and restore it, all or nothing, into the empty database of FLOWFORGE_DATABASE_URL or the data folder.

    Runs go on where they were when the backup was made, once workers run: what happened since then is unknown to them.
    Never let the product that was backed up run beside the restored one.
    """
    label = examine(file)
    with open_database(load_settings(data_dir=data_dir), is_new=True) as settings:
        asyncio.run(restore(settings, file, label))
    progress(f"restored {label.rows['run']:,} runs of {label.made_at}, and checked the rows of every table")
    if label.revision != head():
        progress("it is of an older revision: `up` migrates it, or `./flowforge migrate`")
    if label.key and label.key != (key := name_key(settings)):
        found = "another secret key" if key else "no secret key"
        progress(
            f"there is {found} here: put the one of then into FLOWFORGE_SECRET_KEY or {settings.data_dir}/secret.key, "
            "or the secrets of triggers cannot be opened"
        )
