"""Targets that misbehave: every request ends in time, with an error that says what happened, and is sent once."""

import asyncio
import gzip
import ssl
import tracemalloc
import warnings
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import brotli
import pytest

from engine.infra import http_connector
from engine.infra.http_client import HttpClient
from engine.infra.http_errors import (
    ConnectionFailedError,
    ConnectionLostError,
    DnsFailedError,
    InvalidEncodingError,
    InvalidRedirectError,
    InvalidResponseError,
    RequestTimeoutError,
    ResponseTooLargeError,
    TlsError,
)
from engine.infra.settings import Settings
from tests.integration.http.targets import (
    Answer,
    Received,
    answer_ok,
    answering,
    make_certificate,
    redirecting,
    reset,
    serve,
    write_answer,
)
from tests.product import TRIES

OPEN = Settings(http_allow_private="127.0.0.1")


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient(OPEN) as client:
        yield client


def packed(size: int, *, wbits: int) -> bytes:
    packer = zlib.compressobj(9, wbits=wbits)
    piece = bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush()


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: packed(100 << 20, wbits=31),
    "deflate": lambda: packed(100 << 20, wbits=15),
    # There where a package of others brings its decoder along.
    "br": lambda: brotli.compress(bytes(100 << 20), quality=3),
}


@pytest.mark.parametrize("encoding", BOMBS)
async def test_bomb_is_refused_without_being_unpacked(client: HttpClient, encoding: str) -> None:
    bomb = BOMBS[encoding]()
    assert len(bomb) < 1 << 20

    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, headers={"Content-Encoding": encoding}, body=bomb)

    async with serve(answer) as target:
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLargeError):
                await client.request("GET", target.url, timeout=30)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 20 << 20


@pytest.mark.parametrize(("size", "is_taken"), [(2_048, True), (2_049, False)])
async def test_limit_counts_decompressed_bytes(client: HttpClient, size: int, is_taken: bool) -> None:
    body = gzip.compress(b"x" * size)

    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, headers={"Content-Encoding": "gzip"}, body=body)

    async with serve(answer) as target:
        if is_taken:
            assert len((await client.request("GET", target.url, timeout=30, max_body=2_048)).body) == size
        else:
            with pytest.raises(ResponseTooLargeError, match="2048 bytes"):
                await client.request("GET", target.url, timeout=30, max_body=2_048)


async def test_endless_body_is_cut_at_the_limit(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    async with serve(answer) as target:
        with pytest.raises(ResponseTooLargeError):
            await client.request("GET", target.url, timeout=30)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
async def test_target_that_drips_is_left_in_time(client: HttpClient, start: bytes) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            await asyncio.sleep(0.02)
            writer.write(b"x")
            await writer.drain()

    loop = asyncio.get_running_loop()
    taken: list[float] = []
    async with serve(answer) as target:
        while not taken or taken[-1] >= 1:
            assert len(taken) < TRIES, taken
            started = loop.time()
            with pytest.raises(RequestTimeoutError, match=r"0\.3 s"):
                await client.request("GET", target.url, timeout=0.3)
            taken.append(loop.time() - started)
    assert len(target.received) == len(taken)


async def test_endless_interim_answers_are_left_in_time(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serve(answer) as target:
        with pytest.raises(RequestTimeoutError):
            await client.request("GET", target.url, timeout=0.3)


async def test_target_that_never_answers_does_not_hold_up_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connector, "OPENING_SLOTS", 2)
    monkeypatch.setattr(http_connector, "OPENING_SLOT_SECONDS", 0.02)

    async def look_up(host: str, _port: int) -> list[str]:
        if host.startswith("silent"):
            await asyncio.Event().wait()
        return ["127.0.0.1"]

    async with serve(answer_ok) as target, HttpClient(OPEN, lookup=look_up) as client:
        silent = [
            asyncio.create_task(client.request("GET", f"http://silent{number}.example/", timeout=30))
            for number in range(10)
        ]
        await asyncio.sleep(0)
        response = await client.request("GET", f"http://busy.example:{target.port}/", timeout=20)
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
    assert response.status == 200


async def reset_at_once(_received: Received, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def reset_in_the_body(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart of it")
    await writer.drain()
    await asyncio.sleep(0.05)
    reset(writer)


async def close_at_once(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()


LOST = {
    "reset before the answer": reset_at_once,
    "reset in the body": reset_in_the_body,
    "closed before the answer": close_at_once,
    "closed in the headers": answering(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "closed in the body": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart of it"),
    "closed in a chunk": answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
}


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("answer", LOST.values(), ids=LOST.keys())
async def test_lost_connection_is_one_attempt(client: HttpClient, answer: Answer, method: str) -> None:
    async with serve(answer) as target:
        with pytest.raises(ConnectionLostError) as raised:
            await client.request(method, target.url, timeout=30, body=b"x")
    assert raised.value.is_retryable
    assert len(target.received) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"])
async def test_request_without_a_key_is_never_repeated_on_a_kept_connection(client: HttpClient, method: str) -> None:
    async def answer_the_first(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/first":
            await answer_ok(received, writer)
        else:
            writer.close()

    async with serve(answer_the_first) as target:
        await client.request("GET", f"{target.url}/first", timeout=30)
        with pytest.raises(ConnectionLostError):
            await client.request(method, f"{target.url}/second", timeout=30)
    assert [received.path for received in target.received] == ["/first", "/second"]
    assert target.connections == 1


RUBBISH = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "zeros": b"\x00" * 64,
    "no status": b"HTTP/1.1 abc OK\r\n\r\n",
    "another version": b"HTTP/9.9 200 OK\r\n\r\n",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
}


@pytest.mark.parametrize("raw", RUBBISH.values(), ids=RUBBISH.keys())
async def test_rubbish_is_an_error_that_may_go_away(client: HttpClient, raw: bytes) -> None:
    async with serve(answering(raw)) as target:
        with pytest.raises((InvalidResponseError, ConnectionLostError)) as raised:
            await client.request("GET", target.url, timeout=30)
    assert raised.value.cause == "connection"
    assert len(target.received) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
async def test_body_that_is_not_what_its_encoding_says(client: HttpClient, encoding: str) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, headers={"Content-Encoding": encoding}, body=b"this is plain text, whatever it says")

    async with serve(answer) as target:
        with pytest.raises(InvalidEncodingError):
            await client.request("GET", target.url, timeout=30)


async def test_refused_connection_and_unknown_name(client: HttpClient) -> None:
    async with serve(answer_ok) as target:
        url = target.url
    with pytest.raises(ConnectionFailedError) as refused:
        await client.request("GET", url, timeout=30)
    with pytest.raises(DnsFailedError) as unknown:
        await client.request("GET", "http://unknown.invalid/", timeout=30)
    assert refused.value.is_retryable
    assert unknown.value.is_retryable


@asynccontextmanager
async def secure_target(
    folder: Path, name: str, *, days: int, is_trusted: bool, answer: Answer = answer_ok
) -> AsyncIterator[tuple[HttpClient, str]]:
    server_tls, client_tls = make_certificate(folder, name, days=days)

    async def look_up(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async with (
        serve(answer, tls=server_tls) as target,
        HttpClient(OPEN, lookup=look_up, tls=client_tls if is_trusted else None) as client,
    ):
        yield client, f"https://target.example:{target.port}/"


@pytest.mark.parametrize(
    ("name", "days", "is_trusted", "reason"),
    [
        ("target.example", 1, False, "self-signed"),
        ("other.example", 1, True, "mismatch"),
        ("target.example", -1, True, "expired"),
    ],
)
async def test_certificate_that_proves_nothing_is_refused(
    tmp_path: Path, name: str, days: int, is_trusted: bool, reason: str
) -> None:
    async with secure_target(tmp_path, name, days=days, is_trusted=is_trusted) as (client, url):
        with pytest.raises(TlsError, match=reason) as raised:
            await client.request("GET", url, timeout=30)
    assert not raised.value.is_retryable


async def test_certificate_that_is_trusted_is_accepted(tmp_path: Path) -> None:
    async with secure_target(tmp_path, "target.example", days=1, is_trusted=True) as (client, url):
        assert (await client.request("GET", url, timeout=30)).body == b"ok"


async def test_a_target_that_speaks_no_newer_tls_than_1_1_is_refused(tmp_path: Path) -> None:
    server_tls, client_tls = make_certificate(tmp_path, "127.0.0.1")
    old = ssl.create_default_context()
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    for context in (server_tls, old):
        speak_old_tls(context)
    async with serve(answer_ok, tls=server_tls) as target, HttpClient(OPEN, tls=client_tls) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", target.port, ssl=old)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.1", "it is to be had, by who wants it"
        writer.close()
        # Whichever comes first: what the target says of it, or that it hangs up.
        with pytest.raises((TlsError, ConnectionFailedError)):
            await client.request("GET", f"https://127.0.0.1:{target.port}/", timeout=30)


def speak_old_tls(context: ssl.SSLContext) -> None:
    """Let it speak TLS 1.1 at the most, with what was thought safe then."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1


async def test_tls_to_a_plain_target_is_refused(client: HttpClient) -> None:
    seen: list[bytes] = []

    async def answer_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer_plainly, "127.0.0.1", 0)
    async with server:
        with pytest.raises(TlsError):
            await client.request("GET", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout=30)
    assert len(seen) == 1
    assert b"HTTP" not in seen[0]


async def test_redirect_from_https_to_http_is_refused(tmp_path: Path) -> None:
    async with serve(answer_ok) as plain:
        secure: AbstractAsyncContextManager[tuple[HttpClient, str]] = secure_target(
            tmp_path, "target.example", days=1, is_trusted=True, answer=redirecting(plain.url)
        )
        async with secure as (client, url):
            with pytest.raises(InvalidRedirectError, match="https to http"):
                await client.request("GET", url, timeout=30, max_redirects=3)
    assert plain.connections == 0


async def test_answer_that_nobody_asked_for_is_given_to_nobody(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, body=b"asked")
        write_answer(writer, body=b"smuggled")

    async with serve(answer) as target:
        bodies = [(await client.request("GET", target.url, timeout=30)).body for _ in range(3)]
    assert bodies == [b"asked"] * 3


async def test_upgrade_that_nobody_asked_for_ends(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nframes")

    async with serve(answer) as target:
        first = await client.request("GET", target.url, timeout=30)
        second = await client.request("GET", target.url, timeout=30)
    assert (first.status, second.status) == (101, 101)
    assert target.connections == 2
