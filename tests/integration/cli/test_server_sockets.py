"""The embedded servers by their sockets: in folders of every name, and in none that others may enter."""

import asyncio
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from cli.servers.postgres import Postgres
from cli.servers.valkey import Valkey
from engine.infra.database import create_engine
from engine.infra.pubsub import Subscriber
from engine.infra.redis import create_arq_redis, create_redis
from engine.infra.settings import Settings
from tests.integration.cli.conftest import execute
from tests.product import PATIENCE_SECONDS

# Whether an address of the client was seen: there is none by a socket.
_BY_NETWORK = "SELECT inet_client_addr() IS NOT NULL"


@pytest.mark.parametrize("name", ["postgres", "long" * 30, "blank %41 & ?"])
async def test_it_is_reached_by_its_socket_also_in_a_folder_with_a_long_or_an_odd_name(folder: Path, name: str) -> None:
    server = Postgres(folder / name, sync=False)
    await asyncio.to_thread(server.start)
    try:
        assert await execute(server.url, _BY_NETWORK) is True
        assert await execute(server.inner_url, _BY_NETWORK) is False
        engine = create_engine(Settings(database_url=server.inner_url), name="test")
        async with engine.connect() as connection:
            assert await connection.scalar(text(_BY_NETWORK)) is False
        await engine.dispose()
    finally:
        await asyncio.to_thread(server.stop)


async def test_started_again_it_makes_its_folder_for_sockets_anew(folder: Path) -> None:
    server = Postgres(folder / ("long" * 30), sync=False)
    await asyncio.to_thread(server.start)
    try:
        address = server.inner_url
        place = Path(parse_qs(urlsplit(address).query)["host"][0])
        await asyncio.to_thread(server.stop)
        shutil.rmtree(place)
        await asyncio.to_thread(server.start)
        assert server.inner_url == address
        assert await execute(address, _BY_NETWORK) is False
    finally:
        await asyncio.to_thread(server.stop)
        shutil.rmtree(place)


@pytest.mark.parametrize("name", ["redis", "blank %41 & ?"])
async def test_valkey_is_reached_by_its_socket(folder: Path, name: str) -> None:
    server = Valkey(folder / name)
    await asyncio.to_thread(server.start)
    try:
        assert server.inner_url.startswith("unix:")
        async with create_redis(Settings(redis_url=server.inner_url), name="test") as client:
            assert await client.ping()
            subscriber = Subscriber(client, ["channel"]).messages()
            await asyncio.wait_for(anext(subscriber), PATIENCE_SECONDS)
            await subscriber.aclose()
        async with create_arq_redis(Settings(redis_url=server.inner_url)) as client:
            assert await client.ping()
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_folder_that_others_may_enter_has_no_sockets(folder: Path) -> None:
    server = Postgres(folder / ("long" * 30), sync=False)
    await asyncio.to_thread(server.start)
    try:
        first = server.inner_url
    finally:
        await asyncio.to_thread(server.stop)
    place = Path(parse_qs(urlsplit(first).query)["host"][0])
    assert not place.is_relative_to(folder)
    place.chmod(0o777)
    again = Postgres(folder / ("long" * 30), sync=False)
    await asyncio.to_thread(again.start)
    try:
        assert (again.url, again.inner_url == first) == (server.url, False)
        assert await execute(again.inner_url, _BY_NETWORK) is False
        assert not list(place.iterdir())
    finally:
        await asyncio.to_thread(again.stop)
        for left in (place, Path(parse_qs(urlsplit(again.inner_url).query)["host"][0])):
            shutil.rmtree(left)


@pytest.mark.parametrize("name", ["long" * 30, "taken"])
async def test_valkey_is_reached_by_its_port_where_it_can_have_no_socket(folder: Path, name: str) -> None:
    server = Valkey(folder / name)
    if name == "taken":
        (folder / name / "server.sock").mkdir(parents=True)
    await asyncio.to_thread(server.start)
    try:
        assert server.inner_url == server.url
        async with create_redis(Settings(redis_url=server.inner_url)) as client:
            assert await client.ping()
    finally:
        await asyncio.to_thread(server.stop)
