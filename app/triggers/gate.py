"""The limits of hooks: per trigger, workspace and address. Where none is set, nothing is asked and nothing waits."""

from collections.abc import Sequence

from app.addresses import find_subscriber
from app.errors import TooManyRequests
from engine.infra.rate_limiter import WINDOW_SECONDS, Limit, RateLimiter, Standing
from engine.infra.settings import Settings
from engine.store.origins import WebhookOrigin
from engine.triggers.limits import LimitedConfig, RateLimit


class Gate:
    """Lets calls of hooks through as far as their limits go."""

    def __init__(self, limiter: RateLimiter, settings: Settings) -> None:
        self._limiter = limiter
        self._per_workspace = settings.hook_workspace_per_minute
        self._per_address = settings.hook_address_per_minute

    async def admit(self, origin: WebhookOrigin, config: LimitedConfig, address: str) -> dict[str, str]:
        """Count a call that is authentic; headers for its answer. Raises TooManyRequests."""
        limits: list[Limit] = []
        if isinstance(config.rate_limit, RateLimit):
            limits.append(Limit("trigger", f"trigger:{origin.trigger_id}", config.rate_limit.per_minute))
        if self._per_workspace:
            limits.append(Limit("workspace", f"workspace:{origin.workspace_id}", self._per_workspace))
        return await self._admit([*limits, *self._of_address(address)])

    async def admit_stranger(self, address: str) -> None:
        """Count a call that no trigger takes by where it comes from alone. Raises TooManyRequests."""
        await self._admit(self._of_address(address))

    def _of_address(self, address: str) -> list[Limit]:
        if not self._per_address:
            return []
        return [Limit("address", f"address:{find_subscriber(address)}", self._per_address)]

    async def _admit(self, limits: Sequence[Limit]) -> dict[str, str]:
        if not limits:
            return {}
        verdict = await self._limiter.admit(limits)
        headers = _describe(verdict.standings)
        if verdict.is_admitted:
            return headers
        full = " and ".join(standing.name for standing in verdict.standings if not standing.remaining)
        error = TooManyRequests(
            f"The limit of this {full} is reached. Wait as long as Retry-After says.", retry_after=verdict.retry_after
        )
        error.headers |= headers
        raise error


def _describe(standings: Sequence[Standing]) -> dict[str, str]:
    """The fields of draft-ietf-httpapi-ratelimit-headers."""
    return {
        "ratelimit-policy": ", ".join(f'"{one.name}";q={one.per_minute};w={WINDOW_SECONDS}' for one in standings),
        "ratelimit": ", ".join(f'"{one.name}";r={one.remaining};t={one.reset}' for one in standings),
    }
