"""`api`: one API process."""

import click

from cli.foreground import run_role


@click.command()
@click.option("--host", help="Address to listen on (FLOWFORGE_HOST, 127.0.0.1).")
@click.option("--port", help="Port to listen on (FLOWFORGE_PORT, 8000).")
def command(host: str | None, port: str | None) -> int:
    """Serve the API until SIGTERM, on FLOWFORGE_DATABASE_URL and FLOWFORGE_REDIS_URL."""
    return run_role("api", host=host, port=port)
