"""What the HTTP client sends and gives back, redirects included."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.infra.http_client import HttpClient
from engine.infra.http_errors import ConnectionFailedError, InvalidRedirectError, TooManyRedirectsError
from engine.infra.settings import Settings
from tests.integration.http.targets import Received, answer_echo, answer_ok, redirecting, serve, write_answer

OPEN = Settings(http_allow_private="127.0.0.1")


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient(OPEN) as client:
        yield client


async def test_request_arrives_as_given(client: HttpClient) -> None:
    async with serve(answer_echo) as target:
        response = await client.request(
            "PUT",
            f"{target.url}/orders/17?a=1&b=%2F",
            headers=[("X-One", "1"), ("x-many", "a"), ("X-Many", "b"), ("X-Text", "Grüße")],
            body=b"\x00\xff",
            timeout=30,
        )
    received = target.received[0]
    assert (received.method, received.path, received.body) == ("PUT", "/orders/17?a=1&b=/", b"\x00\xff")
    assert received.header("x-one") == "1"
    assert [value for name, value in received.headers if name == "x-many"] == ["a", "b"]
    assert received.header("x-text") == "Grüße"
    assert str(received.header("user-agent")).startswith("FlowForge/")
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert msgspec.json.decode(response.body, type=Received) == received


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_keeps_its_connection(client: HttpClient, method: str) -> None:
    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.method == "HEAD":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
        else:
            await answer_ok(received, writer)

    async with serve(answer) as target:
        for _ in range(3):
            response = await client.request(method, target.url, timeout=30)
    assert response.body == (b"" if method == "HEAD" else b"ok")
    assert [received.method for received in target.received] == [method] * 3
    assert target.connections == 1


async def test_large_body_arrives_whole(client: HttpClient) -> None:
    body = bytes(range(256)) * 20_000
    async with serve(answer_ok) as target:
        await client.request("POST", target.url, body=body, timeout=30)
    assert target.received[0].body == body
    assert target.received[0].header("content-length") == str(len(body))


async def test_headers_of_an_answer_are_joined_and_readable(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 204 No Content\r\nX-Many: a\r\nx-many: b\r\n"
            b"X-Utf: Gr\xc3\xbc\xc3\x9fe\r\nX-Latin: Gr\xfc\xdfe\r\n\r\n"
        )

    async with serve(answer) as target:
        response = await client.request("GET", target.url, timeout=30)
    assert response.headers == {"x-many": "a, b", "x-utf": "Grüße", "x-latin": "Grüße"}
    assert response.body == b""


async def test_cookies_are_not_kept(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, headers={"Set-Cookie": "session=of-another-run"})

    async with serve(answer) as target:
        for _ in range(2):
            response = await client.request("GET", target.url, timeout=30)
    assert response.headers["set-cookie"] == "session=of-another-run"
    assert [received.header("cookie") for received in target.received] == [None, None]


async def test_limit_per_host_holds_requests_back() -> None:
    in_flight = most = 0

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0.01)
        in_flight -= 1
        await answer_ok(received, writer)

    async with serve(answer) as target, HttpClient(OPEN, limit_per_host=2) as client:
        await asyncio.gather(*(client.request("GET", target.url, timeout=30) for _ in range(8)))
    assert most == 2


async def test_many_requests_at_once_are_not_held_back(client: HttpClient) -> None:
    together = asyncio.Barrier(300)

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        await together.wait()
        await answer_ok(received, writer)

    async with serve(answer) as target:
        responses = await asyncio.gather(*(client.request("GET", target.url, timeout=30) for _ in range(300)))
    assert {response.status for response in responses} == {200}


async def test_closed_client_fails_in_a_way_that_may_go_away() -> None:
    client = HttpClient(OPEN)
    await client.close()
    with pytest.raises(ConnectionFailedError):
        await client.request("GET", "http://127.0.0.1:9/", timeout=30)


async def test_cancelled_request_closes_its_connection(client: HttpClient) -> None:
    arrived = asyncio.Event()
    left = asyncio.Event()

    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        try:
            while True:
                writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except OSError:
            left.set()
            raise

    async with serve(answer) as target:
        task = asyncio.create_task(client.request("GET", target.url, timeout=30))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(left.wait(), 5)


async def test_redirects_are_followed_to_the_end(client: HttpClient) -> None:
    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        number = int(received.path.rsplit("/", 1)[1])
        if number == 0:
            await answer_echo(received, writer)
        else:
            write_answer(writer, 307, {"Location": str(number - 1)}, body=b"moved")

    async with serve(answer) as target:
        response = await client.request("POST", f"{target.url}/hop/3", body=b"x", timeout=30, max_redirects=3)
        with pytest.raises(TooManyRedirectsError):
            await client.request("POST", f"{target.url}/hop/4", body=b"x", timeout=30, max_redirects=3)
    assert response.url == f"{target.url}/hop/0"
    assert [received.method for received in target.received[:4]] == ["POST"] * 4
    assert target.received[3].body == b"x"
    assert len(target.received) == 8


async def test_redirect_is_the_answer_where_none_is_followed(client: HttpClient) -> None:
    async with serve(redirecting("/elsewhere")) as target:
        response = await client.request("GET", target.url, timeout=30)
    assert (response.status, response.headers["location"]) == (302, "/elsewhere")
    assert len(target.received) == 1


async def test_redirect_without_a_place_is_the_answer(client: HttpClient) -> None:
    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, 304)

    async with serve(answer) as target:
        assert (await client.request("GET", target.url, timeout=30, max_redirects=3)).status == 304


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://[::1", "http://a:b@127.0.0.1/"])
async def test_redirect_to_what_cannot_be_called_is_an_error(client: HttpClient, location: str) -> None:
    async with serve(redirecting(location)) as target:
        with pytest.raises(InvalidRedirectError):
            await client.request("GET", target.url, timeout=30, max_redirects=3)


async def test_credentials_do_not_follow_a_redirect_to_another_origin(client: HttpClient) -> None:
    secrets = {
        "Authorization": "Bearer secret",
        "Cookie": "session=secret",
        "X-Api-Key": "secret",
        "Api-Token": "secret",
        "X-Custom-Signature": "secret",
        "Private-Token": "secret",
    }
    harmless = {"Accept": "text/plain", "Idempotency-Key": "run:step", "X-FlowForge-Attempt": "2"}
    async with serve(answer_ok) as other, serve(redirecting(f"{other.url}/there", 307)) as target:
        await client.request(
            "POST", target.url, headers={**secrets, **harmless}, body=b"x", timeout=30, max_redirects=3
        )
    first, second = target.received[0], other.received[0]
    for name, value in secrets.items():
        assert first.header(name.lower()) == value
        assert second.header(name.lower()) is None
    for name, value in harmless.items():
        assert second.header(name.lower()) == value
    assert all("secret" not in value for _, value in second.headers)


async def test_credentials_follow_a_redirect_within_the_origin(client: HttpClient) -> None:
    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/":
            write_answer(writer, 302, {"Location": "/there"})
        else:
            await answer_ok(received, writer)

    async with serve(answer) as target:
        await client.request("GET", f"{target.url}/", headers={"X-Api-Key": "k"}, timeout=30, max_redirects=1)
    assert [received.header("x-api-key") for received in target.received] == ["k", "k"]
