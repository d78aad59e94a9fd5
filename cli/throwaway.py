"""PostgreSQL and Redis in a temporary folder, for tests and benchmarks."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.servers.postgres import Postgres
from cli.servers.valkey import Valkey


@contextmanager
def throwaway_servers() -> Iterator[tuple[str, str]]:
    """Start both servers, give their addresses (PostgreSQL, Redis), and leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="flowforge-"))
    postgres, valkey = Postgres(folder / "postgres", sync=False), Valkey(folder / "redis")
    try:
        postgres.start()
        valkey.start()
        yield postgres.url, valkey.url
    finally:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
