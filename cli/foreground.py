"""One process of the product, run in the foreground as containers do."""

import asyncio
import importlib

from cli.connections import check_database, check_redis
from cli.listening import require_port
from cli.roles import ROLES
from engine.infra.settings import load_settings


def run_role(role: str, *, host: str | None = None, port: str | None = None) -> int:
    """Run a role with the settings of the environment; raises SettingError before it starts if they cannot be used."""
    settings = load_settings(host=host, port=port)
    asyncio.run(check_database(settings))
    asyncio.run(check_redis(settings))
    if role == "api":
        require_port(settings)
    module, name = ROLES[role]
    code: int = getattr(importlib.import_module(module), name)(settings)
    return code
