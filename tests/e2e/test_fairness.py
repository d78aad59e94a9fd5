"""A flood of one workspace is worked off beside the others' runs, not before them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from cli.bench.runs import accept_runs, cancel_queued, find_workflow
from tests.e2e.client import Client
from tests.e2e.database import Database
from tests.e2e.steps import define, http
from tests.e2e.target import Target
from tests.product import Product, wait_for

FLOOD = 8000
AT_ONCE = 1000
RUNS = 5
TRANSFORMS = [
    {"id": f"t{n}", "type": "transform", "with": {"values": {"n": n}}, "after": [f"t{n - 1}"][:n]} for n in range(40)
]

Work = Callable[[asyncpg.Connection], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def other(product: Product, client: Client, database: Database) -> Iterator[Client]:
    """The owner of a workspace that does not flood."""
    client.me()
    email = database.add_member(database.add_workspace(), "owner")
    with closing(Client(product.url)) as opened:
        yield opened.sign_in(email)


def at_database(product: Product, work: Work) -> None:
    """Do something with a connection to the product's database."""

    async def connected() -> None:
        connection = await asyncpg.connect(product.run["postgres"]["url"])
        try:
            await work(connection)
        finally:
            await connection.close()

    # pytest-asyncio owns the main thread's loop.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, connected()).result()


def test_runs_of_one_workspace_end_while_thousands_of_another_one_wait(
    product: Product, client: Client, other: Client, database: Database, target: Target
) -> None:
    flood = UUID(client.publish(define(*TRANSFORMS)).id)
    quiet = other.publish(
        define(http("first", target.base + "/1"), http("second", target.base + "/2", after=["first"]))
    )
    other.finish(quiet.id)

    async def accept(connection: asyncpg.Connection) -> None:
        origin = await find_workflow(connection, flood)
        for _ in range(FLOOD // AT_ONCE):
            await accept_runs(connection, origin, [{}] * AT_ONCE)

    async def cancel(connection: asyncpg.Connection) -> None:
        await cancel_queued(connection, flood)

    def count(condition: str) -> int:
        statement = f"SELECT count(*) AS count FROM run WHERE workflow_id = $1 AND {condition}"  # noqa: S608 - fixed texts
        found: int = database.fetch(statement, flood)[0]["count"]
        return found

    try:
        at_database(product, accept)
        before = count("finished_at IS NULL")
        assert before > FLOOD / 4, "the machine is too fast for this flood"
        # How fast the machine is, does not matter: in the order of arrival, nothing of the flood would be left.
        other.finish(quiet.id)
        assert count("finished_at IS NULL") > before / 2
        for _ in range(RUNS - 1):
            other.finish(quiet.id)
        assert count("status = 'queued'") > 0
        assert count("status = 'succeeded'") > 0, "the flood goes on as well"
    finally:
        at_database(product, cancel)
        wait_for(lambda: count("finished_at IS NULL") == 0, what="end of the flood")
