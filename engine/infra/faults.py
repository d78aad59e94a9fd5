"""Faults at the seam to PostgreSQL, for tests: connections that fail by a seeded plan.

On only where `FLOWFORGE_TEST_DATABASE_FAULTS` says so. Then connections of API, relay and workers are of a class of
their own, whose statements pass through `_FaultyProtocol`; otherwise nothing of this module is on their way.

What is broken is what a network breaks: the connection goes before a statement has arrived, or after it was carried out
and before its answer has; or the answer does not come in time, and nobody knows whether the statement was carried out.
"""

import asyncio
import functools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

from engine.infra.settings import Settings, read_faults

# How a statement fails, each as often as the others.
STATEMENT_FAULTS = ("lost_before", "lost_after", "timeout_before", "timeout_after")
CONNECT_FAULTS = ("refused", "timeout_connecting")
# Those whose part it is to live on. A command that cannot reach the database says so, and is given again.
_ROLES = ("api", "bell", "relay", "worker")
_CALLS = ("query", "bind_execute", "bind_execute_many", "execute", "copy_in", "copy_out")

# What was done in this process, so that a test knows that it has tested something.
FIRED: Counter[str] = Counter()

# Chooses one of the faults that are possible now, or none, for a statement (empty: for a connection).
Draw = Callable[[tuple[str, ...], str], str | None]


class Seam(NamedTuple):
    """How connections are made while faults are on."""

    connection_class: type[asyncpg.Connection]
    connect: Callable[..., Awaitable[asyncpg.Connection]]


def find_seam(settings: Settings, name: str) -> Seam | None:
    """The seam of connections of this name; None where they are made as ever. Raises SettingError."""
    if not settings.test_database_faults or not name.startswith(_ROLES):
        return None
    faults = read_faults(settings)
    # A plan of its own for each name: what others do in the same process does not move its faults.
    return None if faults is None else _find_seam(faults.rate, f"{faults.seed}:{name}")


@functools.lru_cache(maxsize=64)
def _find_seam(rate: float, seed: str) -> Seam:
    return make_seam(make_plan(rate, seed))


def make_plan(rate: float, seed: str) -> Draw:
    """Faults at this rate, the same ones in the same order for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a plan that can be repeated is what is wanted

    def draw(faults: tuple[str, ...], _statement: str) -> str | None:
        if chance.random() >= rate:
            return None
        fault = chance.choice(faults)
        FIRED[fault] += 1
        return fault

    return draw


def make_seam(draw: Draw) -> Seam:
    """Connections whose statements fail as `draw` says, asked once a statement and once a connection."""

    class FaultyConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg ships no types
        """A connection whose statements fail now and then."""

        # Of its base too, which is slotted.
        __slots__ = ()

        def __init__(self, protocol: Any, transport: asyncio.Transport, *rest: Any) -> None:
            super().__init__(_FaultyProtocol(protocol, transport, draw), transport, *rest)

    async def connect(*arguments: Any, **options: Any) -> asyncpg.Connection:
        match draw(CONNECT_FAULTS, ""):
            case "refused":
                raise ConnectionRefusedError("injected: nobody listens")
            case "timeout_connecting":
                raise TimeoutError("injected: no answer while connecting")
        return await asyncpg.connect(*arguments, **options)

    return Seam(FaultyConnection, connect)


class _FaultyProtocol:
    """asyncpg's protocol of one connection: every way to carry a statement out may fail, all else is its own."""

    def __init__(self, protocol: Any, transport: asyncio.Transport, draw: Draw) -> None:
        self._protocol = protocol
        self._transport = transport
        self._draw = draw
        for name in _CALLS:
            setattr(self, name, functools.partial(self._carry_out, getattr(protocol, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    async def _carry_out(self, call: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        given = arguments[0] if arguments else options.get("state")
        statement = str(getattr(given, "query", given))
        # On a connection that has gone there is nothing left to break.
        fault = self._draw(STATEMENT_FAULTS, statement) if self._protocol.is_connected() else None
        if fault is None:
            return await call(*arguments, **options)
        if fault == "lost_before":
            raise await self._lose("before the statement arrived")
        if fault == "timeout_before":
            await self._cancel(statement)
            raise TimeoutError("injected: the statement was cancelled after its time")
        await call(*arguments, **options)
        if fault == "lost_after":
            raise await self._lose("after the statement was carried out")
        raise TimeoutError("injected: the statement was carried out after its time")

    async def _lose(self, when: str) -> Exception:
        """Break the connection, and the error that asyncpg has for this."""
        self._transport.abort()
        while self._protocol.is_connected():  # noqa: ASYNC110 - the loop's next turns tell the protocol
            await asyncio.sleep(0)
        error: Exception = asyncpg.ConnectionDoesNotExistError(f"injected: connection was lost {when}")
        return error

    async def _cancel(self, statement: str) -> None:
        """Leave the transaction, if there is one, as the server leaves it when it cancels a statement."""
        if not self._protocol.is_in_transaction():
            return
        query = statement.lstrip().upper()
        if query.startswith(("COMMIT", "ROLLBACK", "END", "ABORT")) and " TO " not in query:
            # It ends in any case.
            await self._protocol.query("ROLLBACK", None)
            return
        try:
            await self._protocol.query("DO $$BEGIN RAISE query_canceled; END$$", None)
        except asyncpg.PostgresError:
            return
