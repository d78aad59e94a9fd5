"""The API over empty servers, and its callers."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.auth.permissions import Role
from engine.infra.settings import Settings
from tests.integration.api.callers import Api, Caller, running
from tests.integration.api.false_provider import FalseProvider, false_provider, make_good


@pytest.fixture
async def api(settings: Settings, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API over empty servers."""
    async with running(settings) as opened:
        yield opened


@pytest.fixture
async def anonymous(api: Api) -> httpx.AsyncClient:
    """A client without a token."""
    return api.client()


@pytest.fixture
async def owner(api: Api) -> Caller:
    """The owner of a workspace."""
    return await api.sign_in(Role.OWNER)


@pytest.fixture(scope="session")
async def known_provider() -> AsyncIterator[FalseProvider]:
    """The one behind every `provider`."""
    async with false_provider() as opened:
        yield opened


@pytest.fixture
def provider(known_provider: FalseProvider) -> FalseProvider:
    """An OpenID provider that is good until a test says otherwise: everybody is Grace."""
    make_good(known_provider)
    return known_provider
