"""The SQL of leading: of all that try, one holds a lock, for as long as its session lives."""

import asyncpg


async def try_lead(connection: asyncpg.Connection, lock: int, timeout: float | None = None) -> bool:
    """Become the one that has this duty, for as long as this connection lives; False while another is."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock, timeout=timeout))
