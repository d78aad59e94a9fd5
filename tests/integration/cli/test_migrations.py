"""`migrate` against a real PostgreSQL."""

import asyncio

from cli.migrations import current_revision, head, migrate
from engine.infra.settings import Settings


async def test_the_test_database_is_at_the_newest_revision(settings: Settings) -> None:
    assert await current_revision(settings) == head() != ""


async def test_a_second_run_applies_nothing(settings: Settings) -> None:
    assert await asyncio.to_thread(migrate, settings) == []
