"""No step gets at a private target, however the address is written and whatever leads there."""

from contextlib import AsyncExitStack

import pytest
from aiohttp import DefaultResolver

from engine.infra.http_client import HttpClient
from engine.infra.http_errors import ConnectionFailedError, EgressBlockedError
from engine.infra.settings import Settings
from tests.integration.http.targets import answer_ok, redirecting, serve


@pytest.mark.parametrize("allowed", ["*", "127.0.0.0/8", "127.0.0.1:{port}", "localhost:{port}"])
async def test_operator_opens_a_target(allowed: str) -> None:
    async with serve(answer_ok) as target:
        settings = Settings(http_allow_private=allowed.format(port=target.port))
        async with HttpClient(settings) as client:
            response = await client.request("GET", f"http://localhost:{target.port}/", timeout=30)
    assert response.body == b"ok"
    assert target.connections == 1


async def test_host_entry_opens_its_own_name_only() -> None:
    async with serve(answer_ok) as target:
        settings = Settings(http_allow_private=f"localhost:{target.port}")
        async with HttpClient(settings) as client:
            await client.request("GET", f"http://localhost:{target.port}/", timeout=30)
            with pytest.raises(EgressBlockedError):
                await client.request("GET", f"http://127.0.0.1:{target.port}/", timeout=30)
    assert len(target.received) == 1


async def test_refusal_reads_the_same_whether_something_listens_or_not() -> None:
    messages: set[str] = set()
    async with serve(answer_ok) as target, HttpClient(Settings()) as client:
        for port in (target.port, 65_533):
            with pytest.raises(EgressBlockedError) as raised:
                await client.request("GET", f"http://127.0.0.1:{port}/", timeout=30)
            messages.add(raised.value.message.replace(str(port), "PORT"))
    assert len(messages) == 1
    assert "FLOWFORGE_HTTP_ALLOW_PRIVATE" in messages.pop()


async def test_a_proxy_that_the_environment_names_is_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(answer_ok) as target, serve(answer_ok) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        async with serve(answer_ok) as gone:
            nobody = f"https://127.0.0.1:{gone.port}/"
        async with HttpClient(Settings(http_allow_private="127.0.0.1")) as client:
            await client.request("GET", target.url, timeout=30)
            with pytest.raises(ConnectionFailedError):
                await client.request("GET", nobody, timeout=30)
    assert (target.connections, proxy.connections) == (1, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_to_a_private_address_is_not_followed(status: int) -> None:
    async with AsyncExitStack() as stack:
        private = await stack.enter_async_context(serve(answer_ok))
        open_target = await stack.enter_async_context(serve(redirecting(f"{private.url}/secret", status)))
        settings = Settings(http_allow_private=f"127.0.0.1:{open_target.port}")
        client = await stack.enter_async_context(HttpClient(settings))
        with pytest.raises(EgressBlockedError):
            await client.request("GET", f"{open_target.url}/", timeout=30, max_redirects=3)
    assert len(open_target.received) == 1
    assert private.connections == 0


async def test_mixed_answer_of_a_name_server_is_reduced_to_the_allowed_addresses() -> None:
    async def look_up(_host: str, _port: int) -> list[str]:
        return ["169.254.169.254", "127.0.0.1", "10.0.0.1"]

    async with serve(answer_ok) as target:
        settings = Settings(http_allow_private="127.0.0.1")
        async with HttpClient(settings, lookup=look_up) as client:
            response = await client.request("GET", f"http://mixed.example:{target.port}/", timeout=30)
    assert response.status == 200


async def test_name_that_turns_private_is_refused_from_then_on() -> None:
    answers = [["127.0.0.2"], ["127.0.0.1"]]
    asked = 0

    async def look_up(_host: str, _port: int) -> list[str]:
        nonlocal asked
        asked += 1
        return answers[min(asked, len(answers)) - 1]

    async with serve(answer_ok) as private, serve(answer_ok, host="127.0.0.2", port=private.port) as harmless:
        # To this policy 127.0.0.2 is a public address, and 127.0.0.1 a private one.
        settings = Settings(http_allow_private="127.0.0.2/32")
        url = f"http://rebinding.example:{private.port}/"
        async with HttpClient(settings, lookup=look_up) as client:
            await client.request("GET", url, timeout=30)
            assert asked == 1, "the address that is checked is the one that is used"
            await drop_connections(client)
            with pytest.raises(EgressBlockedError):
                await client.request("GET", url, timeout=30)
    assert asked == 2
    assert len(harmless.received) == 1
    assert private.connections == 0


async def test_socket_is_guarded_even_where_the_resolver_is_not() -> None:
    async with serve(answer_ok) as target, HttpClient(Settings()) as client:
        connector = client._connector
        vars(connector)["_resolver"] = DefaultResolver()
        with pytest.raises(EgressBlockedError):
            await client.request("GET", f"http://localhost:{target.port}/", timeout=30)
    assert target.connections == 0


async def drop_connections(client: HttpClient) -> None:
    """Forget the kept connections and names, as time does."""
    connector = client._connector
    for waiting in vars(connector)["_conns"].values():
        for protocol, _ in waiting:
            protocol.close()
    vars(connector)["_conns"].clear()
    connector.clear_dns_cache()
