"""The product under load: one that is started for this, or one that runs on this machine already."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from cli.bench.product import BenchProduct
from cli.client.errors import UNUSABLE, ClientError
from cli.client.options import open_api
from cli.client.sessions import Sessions
from cli.client.wire import normalise_url
from loadtests.api import Api
from loadtests.plan import require_loopback
from loadtests.workflows import Shape

# Beyond what the longest load test takes.
SETTINGS: Final = {"FLOWFORGE_ACCESS_TOKEN_SECONDS": "3600"}


class Place:
    """Where the product is, who asks, and what is known of its processes: only of one that was started for this."""

    def __init__(self, url: str, find_token: Callable[[], str], product: BenchProduct | None) -> None:
        self.url = url
        self.find_token = find_token
        self.product = product


class Prepared(Struct, frozen=True, kw_only=True):
    """A published workflow: its id, its trigger, the path of its hook, and the status in which its runs must end."""

    workflow_id: str
    trigger_id: str
    hook: str
    ends: str


@contextlib.asynccontextmanager
async def open_place(url: str | None, token: str | None) -> AsyncIterator[Place]:
    """The product at `url`, or one of our own that is gone afterwards. Raises ClientError and ServerError."""
    if url is not None:
        yield _find_running(url, token)
        return
    async with BenchProduct(SETTINGS) as product:
        yield Place(product.url, lambda: product.token, product)


def _find_running(url: str, token: str | None) -> Place:
    url = normalise_url(url)
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.path:
        raise ClientError(f"{url}: load tests speak plain HTTP, to an address without a path.", UNUSABLE)
    try:
        require_loopback(url)
    except ValueError as error:
        raise ClientError(str(error), UNUSABLE) from None
    key = token or os.environ.get("FLOWFORGE_API_KEY")

    def find_token() -> str:
        # The first call renews a session's token where that has expired.
        open_api(url, key).get("/v1/auth/me")
        session = None if key else Sessions().find(url)
        return key or (session.access_token if session else "")

    return Place(url, find_token, None)


async def publish(api: Api, shape: Shape) -> Prepared:
    """Make a workflow with a webhook, and publish it."""
    created = await api.call("POST", "/v1/workflows", {"name": shape.name, "definition": shape.definition})
    path = f"/v1/workflows/{created['id']}"
    await api.call("POST", f"{path}/publish")
    trigger = await api.call("POST", f"{path}/triggers", {"type": "webhook", "config": {}})
    token = trigger["url"].rpartition("/")[2]
    hook = f"/v1/hooks/{token}"
    return Prepared(workflow_id=created["id"], trigger_id=trigger["id"], hook=hook, ends=shape.ends)


async def remove(api: Api, prepared: list[Prepared]) -> None:
    """Delete the workflows of a load test from a product that goes on; their runs stay."""
    for workflow in prepared:
        await api.call("DELETE", f"/v1/workflows/{workflow.workflow_id}")
