"""Housekeeping: what workers that died owed to others, done by whoever looks next."""

import asyncpg

from engine.store.extras import close_approvals
from engine.store.inbox import cancel_orphans, drop_late_messages
from engine.worker.slots import SlotKeeper


async def keep_house(connection: asyncpg.Connection, slots: SlotKeeper) -> bool:
    """Drop, cancel, close and grant what nobody did; whether there is something in the outbox for it."""
    await drop_late_messages(connection)
    has_orphans = await cancel_orphans(connection) > 0
    await close_approvals(connection)
    await slots.grant_forgotten(connection)
    return has_orphans
