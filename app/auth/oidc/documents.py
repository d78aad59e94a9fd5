"""What a provider publishes: its metadata and its keys, fetched once for all who need them, and kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import structlog

from app.auth.oidc.errors import SignInFailed

Document = TypeVar("Document")

FRESH_SECONDS: Final = 3600.0
# Where the provider does not answer, what it said before goes on to hold for so long.
STALE_SECONDS: Final = 24 * 3600.0
# A provider is not asked more often than that, whatever tokens come: a made-up key id must not cost it a request each.
REST_SECONDS: Final = 10.0

logger = structlog.get_logger(__name__)


class Kept(Generic[Document]):
    """One document. `fetch` raises SignInFailed where there is none to be had."""

    def __init__(self, fetch: Callable[[], Awaitable[Document]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._value: Document | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._request: asyncio.Task[Document] | None = None

    async def get(self) -> Document:
        """The document, at most an hour old while the provider answers. Raises SignInFailed."""
        if self._value is not None and self._clock() - self._fetched_at <= FRESH_SECONDS:
            return self._value
        return await self._get_anew()

    async def renew(self) -> Document:
        """The document as it is now, as far as it was not asked for just now. Raises SignInFailed."""
        return await self._get_anew()

    def close(self) -> None:
        """Break off what is being asked for."""
        if self._request is not None:
            self._request.cancel()

    async def _get_anew(self) -> Document:
        now, value = self._clock(), self._value
        is_usable = value is not None and now - self._fetched_at <= STALE_SECONDS
        if value is not None and is_usable and now - self._tried_at < REST_SECONDS:
            return value
        try:
            return await self._ask()
        except SignInFailed as failed:
            if value is None or not is_usable:
                raise
            logger.warning("what the provider said before is used", reason=str(failed))
            return value

    async def _ask(self) -> Document:
        if self._request is None:
            self._request = asyncio.get_running_loop().create_task(self._load())
            self._request.add_done_callback(self._end)
        # Whoever asks first may hang up: that must not take the document from the others.
        return await asyncio.shield(self._request)

    async def _load(self) -> Document:
        self._tried_at = self._clock()
        value = await self._fetch()
        self._value, self._fetched_at = value, self._clock()
        return value

    def _end(self, request: "asyncio.Task[Document]") -> None:
        self._request = None
        if not request.cancelled():
            # Everybody who waited may be gone: then nobody else looks at it.
            request.exception()
