"""How a request is written and its connection given back: what aiohttp's session did for the client."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from engine.infra.http_client import HttpClient
from engine.infra.http_exchange import LARGE_BODY
from engine.infra.settings import Settings
from tests.integration.http.targets import Received, answer_echo, answer_ok, serve, write_answer

ANSWER = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient(Settings(http_allow_private="127.0.0.1/32")) as client:
        yield client


async def test_answer_that_comes_before_the_body_is_heard_ends_the_connection(client: HttpClient) -> None:
    heads: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        await writer.drain()
        # It reads no more, so that the client could write for ever.
        await closed.wait()
        writer.close()

    closed = asyncio.Event()
    async with await asyncio.start_server(refuse, "127.0.0.1", 0, limit=65_536) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        for _ in range(2):
            response = await client.request("POST", url, body=b"x" * 20_000_000, timeout=30)
            assert response.status == 413
        closed.set()
    assert len(heads) == 2, "each request had a connection of its own"


@pytest.mark.parametrize("size", [0, 1, LARGE_BODY, LARGE_BODY + 1, 3 * LARGE_BODY + 7])
async def test_bodies_of_every_size_arrive_and_leave_the_connection_usable(client: HttpClient, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    async with serve(answer_ok) as target:
        for _ in range(2):
            await client.request("POST", target.url, body=body, timeout=30)
        assert [received.body == body for received in target.received] == [True, True]
        assert target.received[0].header("content-length") == str(size)
        assert target.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_request_carries_what_the_library_itself_would_send(client: HttpClient, method: str) -> None:
    given = [("X-One", "1"), ("Accept", "text/plain")]
    async with serve(answer_nothing) as target:
        await client.request(method, target.url + "/a%20b?c=%C3%BC&d", headers=given, timeout=30)
        async with aiohttp.ClientSession() as session:
            agent = target.received[0].header("user-agent") or ""
            await session.request(
                method,
                target.url + "/a%20b?c=%C3%BC&d",
                headers=[*given, ("User-Agent", agent)],
                skip_auto_headers=["Content-Type"],
            )
        ours, theirs = target.received
    assert (ours.method, ours.path, ours.body) == (theirs.method, theirs.path, theirs.body)
    assert sorted(ours.headers) == sorted(theirs.headers)


async def answer_nothing(_received: Received, writer: asyncio.StreamWriter) -> None:
    write_answer(writer)


async def test_interim_answers_are_passed_over(client: HttpClient) -> None:
    async def hint(_received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        write_answer(writer, 201, body=b"done")

    async with serve(hint) as target:
        response = await client.request("GET", target.url, timeout=30)
    assert (response.status, response.body) == (201, b"done")


async def test_answers_of_many_origins_are_kept_apart(client: HttpClient) -> None:
    async with serve(answer_echo) as one, serve(answer_echo) as two:
        for target in (one, two, one, two):
            response = await client.request("GET", f"{target.url}/{target.port}", timeout=30)
            assert f"/{target.port}".encode() in response.body
        assert [target.connections for target in (one, two)] == [1, 1]
        hosts = {received.header("host") for received in one.received}
        assert hosts == {f"127.0.0.1:{one.port}"}
