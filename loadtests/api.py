"""The API of the product under load, as the load test uses it before and afterwards."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Generic, Self, TypeVar

import aiohttp
import msgspec
from msgspec import Struct

PAGE: Final = 200
TRIES: Final = 30
COME_BACK_SECONDS: Final = 1.0
Item = TypeVar("Item")


class RefusedCall(Exception):
    """The product did not do what the load test asks for before and after the load."""


class RunRow(Struct, frozen=True, kw_only=True):
    """A run as lists show it."""

    id: str
    workflow_id: str
    status: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of an event, as the product remembers it."""

    id: str
    trigger_id: str
    outcome: str
    run_id: str | None


class Ingest(Struct, frozen=True, kw_only=True):
    """The product's own accounts of a workspace."""

    accepted: int
    drift: int


class _Stats(Struct, frozen=True):
    ingest: Ingest


class _Page(Struct, Generic[Item], frozen=True, kw_only=True):
    items: list[Item]
    next_cursor: str | None


class Api:
    """Calls with a token, that `find_token` gives anew where it has expired."""

    def __init__(self, url: str, find_token: Callable[[], str]) -> None:
        self._find_token = find_token
        self._token = find_token()
        # Nothing of this goes through a proxy: the product is on this machine.
        self._session = aiohttp.ClientSession(url, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """What a call answers; raises RefusedCall."""
        content = await self._send(method, path, None, body)
        return msgspec.json.decode(content) if content else None

    async def ingest(self) -> Ingest:
        """The product's own accounts of the day."""
        return msgspec.json.decode(await self._send("GET", "/v1/stats", {"window": "24h"}), type=_Stats).ingest

    def runs(self, **query: str) -> AsyncIterator[RunRow]:
        """Every run that a list holds, in pages of 200."""
        return self._list("/v1/runs", RunRow, query)

    def receipts(self, **query: str) -> AsyncIterator[Receipt]:
        """Every receipt that a list holds, in pages of 200."""
        return self._list("/v1/events", Receipt, query)

    async def _list(self, path: str, kind: type[Item], query: dict[str, str]) -> AsyncIterator[Item]:
        cursor: str | None = None
        while True:
            chosen = {**query, "limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
            page = msgspec.json.decode(await self._send("GET", path, chosen), type=_Page[kind])  # type: ignore[valid-type]  # it is one at run time
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _send(self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None) -> bytes:
        for number in range(TRIES):
            headers = {"authorization": f"Bearer {self._token}"}
            try:
                async with self._session.request(method, path, params=query, json=body, headers=headers) as response:
                    content = await response.read()
            except aiohttp.ClientError as error:
                raise RefusedCall(f"{method} {path}: {error}") from None
            if response.status == HTTPStatus.UNAUTHORIZED and not number:
                self._token = self._find_token()
            elif response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                # The load has been too much for this machine; that is in the figures, and no reason to give up.
                await asyncio.sleep(COME_BACK_SECONDS)
            else:
                break
        if not response.ok:
            raise RefusedCall(f"{method} {path} answered {response.status}: {content.decode(errors='replace')}")
        return content
