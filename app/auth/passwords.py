"""Passwords: argon2id in two threads of their own, with a short queue, so that a flood of logins starves nobody."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import Busy

_THREADS = 2
_MAX_WAITING = 32
# The hash of random bytes that nobody kept, at the cost below.
_DECOY = "$argon2id$v=19$m=19456,t=2,p=1$UYYyo6XzONecKFP2APCBrA$IiyUPfGMU6ZmLQO130zYTdbg4EZm4fmoDYzghxbkKq4"

Result = TypeVar("Result")


class Passwords:
    """Hashes and verifies passwords. Cost: OWASP's minimum for argon2id (19 MiB, two passes, one lane)."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="password")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash to keep; raises Busy where too many wait."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right. Without a hash (no such user) it takes as long and is wrong."""
        is_right = await self._run(lambda: self._is_right(password_hash or _DECOY, password))
        return is_right and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """End the threads once their work is done."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _is_right(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= _MAX_WAITING:
            raise Busy("Too many sign-ins at once. Try again shortly.", retry_after=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
