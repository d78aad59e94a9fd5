import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name that other accounts can reach: pytest's own is for its user only."""
    path = Path(tempfile.mkdtemp(prefix="flowforge-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


async def execute(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
