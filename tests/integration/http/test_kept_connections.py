"""Kept connections that their target closes just as they are used: what is sent once more then, and what never is."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from engine.infra.http_client import HttpClient, HttpResponse
from engine.infra.http_connector import Channel, GuardedConnector
from engine.infra.http_errors import ConnectionLostError, InvalidResponseError, RequestTimeoutError
from engine.infra.http_exchange import LARGE_BODY
from engine.infra.settings import Settings
from tests.integration.http.targets import Answer, Received, answer_ok, answering, reset, serve, write_answer
from tests.product import TRIES

OPEN = Settings(http_allow_private="127.0.0.1")
KEYED = [("Idempotency-Key", "order 17")]

End = Callable[[asyncio.StreamWriter], None]
ENDS: dict[str, End] = {"closed": asyncio.StreamWriter.close, "reset": reset}


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    async with HttpClient(OPEN) as client:
        yield client


def answering_once(then: Answer) -> Answer:
    """Answer the first request of each connection, and treat its later ones with `then`."""
    used: set[asyncio.StreamWriter] = set()

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        if writer in used:
            await then(received, writer)
        else:
            used.add(writer)
            write_answer(writer)

    return answer


def ending(end: End) -> Answer:
    """Take the request, and end the connection without a word."""

    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        end(writer)

    return answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_a_request_with_a_key_is_sent_once_more_when_its_kept_connection_ends(
    client: HttpClient, end: End, method: str
) -> None:
    async with serve(answering_once(ending(end))) as target:
        await client.request("GET", f"{target.url}/first", timeout=30)
        response = await client.request(method, f"{target.url}/second", headers=KEYED, body=b"all of it", timeout=30)
        again = await client.request(method, f"{target.url}/third", headers=KEYED, timeout=30)
    assert (response.status, again.status) == (200, 200)
    assert [received.path for received in target.received] == ["/first", "/second", "/second", "/third", "/third"]
    once, more = target.received[1:3]
    assert once == more
    assert (more.header("idempotency-key"), more.body) == ("order 17", b"all of it")
    assert target.connections == 3


async def test_a_large_body_is_sent_once_more_as_a_whole(client: HttpClient) -> None:
    body = bytes(range(256)) * (5 * LARGE_BODY // 256)
    async with serve(answering_once(ending(asyncio.StreamWriter.close))) as target:
        await client.request("GET", target.url, timeout=30)
        await client.request("POST", target.url, headers=KEYED, body=body, timeout=30)
    assert [received.body == body for received in target.received] == [False, True, True]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_it_is_sent_on_a_new_connection_whatever_else_was_kept(client: HttpClient, end: End) -> None:
    together = asyncio.Barrier(4)

    async def answer_together(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/first":
            await together.wait()
        await answer_once(received, writer)

    answer_once = answering_once(ending(end))
    async with serve(answer_together) as target:
        await asyncio.gather(*(client.request("GET", f"{target.url}/first", timeout=30) for _ in range(4)))
        assert target.connections == 4
        response = await client.request("POST", f"{target.url}/second", headers=KEYED, timeout=30)
    assert response.status == 200
    assert len(target.received) == 4 + 2
    assert target.connections == 5


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_it_is_never_sent_a_third_time(client: HttpClient, end: End) -> None:
    async def answer_the_first(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/first":
            await answer_ok(received, writer)
        else:
            end(writer)

    async with serve(answer_the_first) as target:
        await client.request("GET", f"{target.url}/first", timeout=30)
        with pytest.raises(ConnectionLostError):
            await client.request("POST", f"{target.url}/second", headers=KEYED, timeout=30)
    assert [received.path for received in target.received] == ["/first", "/second", "/second"]
    assert target.connections == 2


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_on_a_new_connection_a_request_is_sent_once(client: HttpClient, end: End) -> None:
    async with serve(ending(end)) as target:
        with pytest.raises(ConnectionLostError):
            await client.request("POST", target.url, headers=KEYED, timeout=30)
    assert len(target.received) == target.connections == 1


@pytest.mark.parametrize("headers", [[], [("Idempotency-Key", "")]], ids=["no key", "empty key"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_nobody_could_know_again_is_sent_once(
    client: HttpClient, method: str, headers: list[tuple[str, str]]
) -> None:
    async with serve(answering_once(ending(asyncio.StreamWriter.close))) as target:
        await client.request("GET", target.url, timeout=30)
        with pytest.raises(ConnectionLostError):
            await client.request(method, target.url, headers=headers, timeout=30)
    assert (len(target.received), target.connections) == (2, 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"H",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart of it",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
    ids=["a byte", "half a head", "a hint", "half a body", "another protocol"],
)
async def test_after_a_byte_of_an_answer_nothing_is_sent_again(client: HttpClient, raw: bytes) -> None:
    async with serve(answering_once(answering(raw))) as target:
        await client.request("GET", target.url, timeout=30)
        with pytest.raises((ConnectionLostError, InvalidResponseError)):
            await client.request("GET", target.url, headers=KEYED, timeout=30)
    assert (len(target.received), target.connections) == (2, 1)


async def test_both_tries_have_the_time_of_one_together(client: HttpClient) -> None:
    async def end_late_and_then_be_silent(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/first":
            await answer_ok(received, writer)
        elif received.header("x-try") in tried:
            await asyncio.Event().wait()
        else:
            tried.add(received.header("x-try"))
            await asyncio.sleep(0.7)
            writer.close()

    tried: set[str | None] = set()
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    async with serve(end_late_and_then_be_silent) as target:
        while not taken or taken[-1] >= 1.5 or target.received[-2].path != "/second":
            assert len(taken) < TRIES, taken
            await client.request("GET", f"{target.url}/first", timeout=30)
            headers = [*KEYED, ("X-Try", str(len(taken)))]
            started = loop.time()
            with pytest.raises(RequestTimeoutError, match="within 1 s"):
                await client.request("POST", f"{target.url}/second", headers=headers, timeout=1)
            taken.append(loop.time() - started)


async def test_with_one_connection_to_a_host_those_that_wait_for_it_get_it(client: HttpClient) -> None:
    async with (
        serve(answering_once(ending(asyncio.StreamWriter.close))) as target,
        HttpClient(OPEN, limit_per_host=1) as narrow,
    ):
        responses = await asyncio.gather(
            *(narrow.request("POST", target.url, headers=KEYED, timeout=30) for _ in range(10))
        )
    assert [response.status for response in responses] == [200] * 10
    # Every one but the first finds a connection that ends as it is used, and goes on with a new one.
    assert (len(target.received), target.connections) == (19, 10)


async def test_a_place_that_comes_free_for_who_has_just_given_up_is_the_next_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hold_the_first(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/first":
            has_come.set()
            await is_released.wait()
        await answer_ok(received, writer)

    def release_and_give_up(connector: GuardedConnector) -> None:
        release(connector)
        if is_released.is_set() and second is not None:
            # In the very moment in which it was its turn.
            second.cancel()

    release = GuardedConnector._release_waiter
    monkeypatch.setattr(GuardedConnector, "_release_waiter", release_and_give_up)
    has_come, is_released = asyncio.Event(), asyncio.Event()
    second: asyncio.Task[HttpResponse] | None = None
    async with serve(hold_the_first) as target, HttpClient(OPEN, limit_per_host=1) as narrow:
        first = asyncio.create_task(narrow.request("GET", f"{target.url}/first", timeout=60))
        await has_come.wait()
        second = asyncio.create_task(narrow.request("GET", f"{target.url}/second", timeout=60))
        third = asyncio.create_task(narrow.request("GET", f"{target.url}/third", timeout=60))
        # Both find the one connection in use, and wait.
        await asyncio.sleep(0)
        is_released.set()
        assert (await first).status == 200
        assert (await third).status == 200
        await asyncio.wait([second])
    assert second.cancelled()
    assert [received.path for received in target.received] == ["/first", "/third"]


async def test_what_comes_between_requests_is_the_answer_to_none(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(channel: Channel, data: bytes) -> None:
        hear(channel, data)
        if data.startswith(b"HTTP/1.1 408"):
            has_come.set()

    async def keep_the_writer(received: Received, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer_ok(received, writer)

    hear = Channel.data_received
    monkeypatch.setattr(Channel, "data_received", note)
    has_come = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []
    async with serve(keep_the_writer) as target:
        await client.request("GET", target.url, timeout=30)
        # As servers do that give up waiting for the next request, and close only then.
        writers[0].write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await has_come.wait()
        response = await client.request("GET", target.url, timeout=30)
    assert (response.status, response.body) == (200, b"ok")
    assert (len(target.received), target.connections) == (2, 2)
