"""What is done in pieces to held events, so that no transaction is long and nobody waits for a row for long."""

import asyncio

import asyncpg

from engine.store import held
from engine.store import held_pieces as store

# Rows of groups are short, those of events have receipts and dedup keys beside them.
MOST_REVIEWED = 1000
MOST_NOTED = 1000
PIECE_SECONDS = 30.0


async def review_piece(connection: asyncpg.Connection) -> int:
    """Make groups due whose trigger was changed; how many, and one more for a trigger that is done with."""
    review = await store.find_review(connection)
    if review is None:
        return 0
    review_id, trigger_id = review
    async with asyncio.timeout(PIECE_SECONDS), connection.transaction():
        count = await store.review_groups(connection, trigger_id, MOST_REVIEWED)
        if count < MOST_REVIEWED:
            await store.end_review(connection, review_id)
    return count + 1


async def note_piece(connection: asyncpg.Connection) -> int:
    """Note of events that belong to a run that has started; how many, and one more for a group that is done with."""
    async with asyncio.timeout(PIECE_SECONDS), connection.transaction():
        rest = await store.take_remainder(connection)
        if rest is None:
            return 0
        event_ids = await store.list_rest(connection, rest, MOST_NOTED)
        await held.mark_started(connection, [(event_id, rest.run_id) for event_id in event_ids])
        if len(event_ids) < MOST_NOTED:
            await store.end_remainder(connection, rest)
    return len(event_ids) + 1
