"""`up`: the whole product on one machine."""

from pathlib import Path

import click

from cli.product import Product
from cli.ui_bundle import try_bundle
from engine.infra.settings import load_settings


@click.command()
@click.option("--host", help="Address to listen on (FLOWFORGE_HOST, 127.0.0.1).")
@click.option("--port", help="Port to listen on (FLOWFORGE_PORT, 8000).")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data folder (FLOWFORGE_DATA_DIR, .flowforge).")
@click.option("--workers", help="Worker processes (FLOWFORGE_WORKERS, 1).")
def command(host: str | None, port: str | None, data_dir: Path | None, workers: str | None) -> int:
    """Start the whole product and keep it running until Ctrl-C or SIGTERM.

    PostgreSQL and Redis are embedded ones, unless FLOWFORGE_DATABASE_URL and FLOWFORGE_REDIS_URL name others.
    """
    folder = None if data_dir is None else str(data_dir)
    settings = load_settings(host=host, port=port, data_dir=folder, workers=workers)
    if settings.build_web:
        try_bundle()
    return Product(settings).run()
