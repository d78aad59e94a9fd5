"""Duties of which one relay of all has each: it leads by an advisory lock, the others stand by.

What leads and what it says in the log stand here once; a duty says what it does while it leads.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import structlog

from engine.infra.backoff import Backoff
from engine.infra.database import DATABASE_ERRORS
from engine.infra.settings import Settings
from engine.relay.ears import Ears
from engine.relay.listener import Session

STANDBY_SECONDS = 0.5

SessionType = TypeVar("SessionType", bound=Session)
_log = structlog.get_logger(__name__)


class Leader(ABC, Generic[SessionType]):
    """A duty that goes on until it is stopped, whatever happens to PostgreSQL."""

    # What it is called in the log.
    duty: ClassVar[str]
    session_type: type[SessionType]

    def __init__(self, settings: Settings, ears: Ears | None = None) -> None:
        """`ears` are shared by the duties of a process."""
        self._settings = settings
        self._ears = ears or Ears()
        self._is_stopping = False
        self._session: SessionType | None = None
        self._pause = asyncio.Event()
        self.backoff = Backoff(0.1, 1.0)

    @abstractmethod
    async def lead(self, session: SessionType) -> None:
        """Do the duty until stopped; what it raises ends the session, and another one leads or this one again."""

    def on_lead(self) -> None:
        """Told before each time that this one leads."""

    def on_leave(self) -> None:
        """Told after each session, whether it led or not."""

    def on_failure(self, of: str) -> None:
        """Told of a failure, of `postgres` or of the `relay` itself."""

    @property
    def is_stopping(self) -> bool:
        """Whether it is to end what it has in hand, and no more."""
        return self._is_stopping

    def stop(self) -> None:
        """Finish what is in hand, give the lock up, and let `run` return."""
        self._is_stopping = True
        self._pause.set()
        if self._session is not None:
            self._session.alarm.set()

    async def run(self) -> None:
        """Lead, or stand by until the one who leads is gone."""
        while not self._is_stopping:
            try:
                self._session = await self.session_type.open(self._settings)
                self._session.ears = self._ears
                await self._serve(self._session)
            except DATABASE_ERRORS as error:
                self.on_failure("postgres")
                seconds = self.backoff.pause()
                _log.warning(f"{self.duty}_interrupted", error=repr(error), retry_in_seconds=round(seconds, 2))
                await self.sleep(seconds)
            except Exception:
                # A fault of ours: what there is to do stays, and the duty stays for the others' sake.
                self.on_failure("relay")
                _log.exception(f"{self.duty}_failed")
                await self.sleep(self.backoff.pause())
            finally:
                self.on_leave()
                if self._session is not None:
                    await self._session.close()
                    self._session = None

    async def sleep(self, seconds: float) -> None:
        """Sleep, but not past `stop`."""
        if seconds <= 0:
            return
        timer = asyncio.get_running_loop().call_later(seconds, self._pause.set)
        await self._pause.wait()
        timer.cancel()
        if not self._is_stopping:
            self._pause.clear()

    async def _serve(self, session: SessionType) -> None:
        while not await session.try_lead():
            await session.rest(STANDBY_SECONDS)
            if self._is_stopping:
                return
        self.on_lead()
        _log.info(f"{self.duty}_leads")
        await self.lead(session)
