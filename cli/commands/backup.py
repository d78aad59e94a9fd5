"""`backup`: everything into one file."""

from pathlib import Path

import click

from cli.backup.place import open_database
from cli.backup.saving import save
from cli.report import progress
from engine.infra.settings import load_settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--data-dir", help="Data folder of the product (FLOWFORGE_DATA_DIR, .flowforge).")
def command(file: Path, data_dir: str | None) -> None:
    """Write everything that PostgreSQL holds, as it is at one moment, to the new FILE; the product may run meanwhile.

    The database is that of FLOWFORGE_DATABASE_URL, else that of the data folder. Secrets are in it as they are in the
    database: sealed. The key that opens them is not.
    """
    with open_database(load_settings(data_dir=data_dir)) as settings:
        label = save(settings, file)
    progress(f"wrote {file}: {label.size:,} bytes, {label.rows['run']:,} runs, revision {label.revision}")
    progress("the secret key is not in it: keep FLOWFORGE_SECRET_KEY, or the data folder's secret.key, somewhere else")
