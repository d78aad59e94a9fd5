"""What has to be right before a product starts: database, Redis, migrations."""

import asyncio

from cli.connections import check_redis
from cli.migrations import migrate
from engine.infra.settings import Settings


def prepare(settings: Settings) -> list[str]:
    """Check both servers, migrate, and return the revisions applied; raises SettingError in one line."""
    asyncio.run(check_redis(settings))
    return migrate(settings)
