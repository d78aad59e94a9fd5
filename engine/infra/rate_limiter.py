"""Rate limits by GCRA: counted in Redis by one atomic script, and in memory where Redis is away.

Each limit lets a burst of a minute's calls through and then one call at a time, evenly. A call is counted by all of its
limits or by none: one that is refused costs nothing.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog
from msgspec import Struct
from redis.asyncio import Redis

from engine.infra.redis import REDIS_ERRORS

WINDOW_SECONDS: Final = 60
PREFIX: Final = "ff:limit:"
# Nobody waits longer for Redis, and for so long after that it is not asked again.
ANSWER_SECONDS: Final = 1.0
AWAY_SECONDS: Final = 5.0
_MINUTE: Final = 60_000_000
_MOST_KEPT: Final = 10_000

# Each key holds the moment at which its whole quota is there again, in microseconds. Gives how long the call has to
# wait, 0 where it is admitted, and for each key how far that moment is away.
_SCRIPT: Final = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wait, fulls = 0, {{}}
for i, key in ipairs(KEYS) do
  local count = tonumber(ARGV[i])
  local step = math.floor({_MINUTE} / count)
  local full = math.max(now, tonumber(redis.call('GET', key) or 0))
  fulls[i] = full
  wait = math.max(wait, full + step - now - count * step)
end
local answer = {{math.ceil(wait)}}
for i, key in ipairs(KEYS) do
  local full = fulls[i]
  if wait <= 0 then
    full = full + math.floor({_MINUTE} / tonumber(ARGV[i]))
    redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
  end
  answer[i + 1] = math.ceil(full - now)
end
return answer
"""

_log = structlog.get_logger(__name__)


class Limit(NamedTuple):
    """So many calls a minute, counted under a key; callers know it by its name."""

    name: str
    key: str
    per_minute: int


class Standing(Struct, frozen=True, kw_only=True):
    """How a limit stands after a call: what is left of it, and in how many seconds all of it is there again."""

    name: str
    per_minute: int
    remaining: int
    reset: int


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether a call is admitted; if not, in how many seconds one will be."""

    is_admitted: bool
    retry_after: int
    standings: list[Standing]


class RateLimiter:
    """Admits calls within their limits, over any number of processes; while Redis is away, within those of this one."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(_SCRIPT)
        self._full_at: dict[str, float] = {}
        self._away_until = 0.0

    async def admit(self, limits: Sequence[Limit]) -> Verdict:
        """Count a call by all of these limits, at least one, if each of them has room for it."""
        answer: list[int] | None = None
        if time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await self._script(
                        keys=[PREFIX + limit.key for limit in limits], args=[limit.per_minute for limit in limits]
                    )
            except REDIS_ERRORS as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                _log.warning("rate_limits_in_memory", error=repr(error))
        if answer is None:
            answer = self._count(limits)
        else:
            # Should Redis be away next time, counting goes on from here.
            self._keep(limits, answer)
        wait, *fulls = answer
        return Verdict(
            is_admitted=wait <= 0,
            retry_after=math.ceil(max(wait, 0) / 1_000_000),
            standings=[_stand(limit, full) for limit, full in zip(limits, fulls, strict=True)],
        )

    def _count(self, limits: Sequence[Limit]) -> list[int]:
        """What the script does, in memory."""
        now = time.monotonic()
        fulls = [max(0.0, self._full_at.get(limit.key, 0.0) - now) * 1_000_000 for limit in limits]
        steps = [_step(limit) for limit in limits]
        waits = [full + step - limit.per_minute * step for limit, full, step in zip(limits, fulls, steps, strict=True)]
        wait = math.ceil(max(0.0, *waits))
        if wait <= 0:
            fulls = [full + step for full, step in zip(fulls, steps, strict=True)]
        answer = [wait, *(math.ceil(full) for full in fulls)]
        self._keep(limits, answer)
        return answer

    def _keep(self, limits: Sequence[Limit], answer: Sequence[int]) -> None:
        now = time.monotonic()
        for limit, full in zip(limits, answer[1:], strict=True):
            self._full_at.pop(limit.key, None)
            self._full_at[limit.key] = now + full / 1_000_000
        while len(self._full_at) > _MOST_KEPT:
            del self._full_at[next(iter(self._full_at))]


def _step(limit: Limit) -> int:
    return _MINUTE // limit.per_minute


def _stand(limit: Limit, full: int) -> Standing:
    step = _step(limit)
    return Standing(
        name=limit.name,
        per_minute=limit.per_minute,
        remaining=max(0, (limit.per_minute * step - full) // step),
        reset=math.ceil(full / 1_000_000),
    )
