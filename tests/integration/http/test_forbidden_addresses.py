"""No spelling of an address that is not public is connected to, wherever it comes from: a URL, a name, a redirect."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from msgspec import Struct

from engine.infra.http_client import HttpClient
from engine.infra.http_errors import EgressBlockedError, HttpError, TooManyRedirectsError
from engine.infra.settings import Settings
from tests.integration.http.targets import Received, Target, answer_ok, serve, write_answer

# By what they are. Those of the target itself reach it where an operator has opened everything.
HOME = {
    "dotted": ["127.0.0.1", "127.0.0.2", "127.255.255.254", "127.000.000.001"],
    "short": ["127.1", "127.0.1", "0x7F.1", "0177.1", "127.0x1"],
    "decimal": ["2130706433", "2130706433.", "02130706433"],
    "octal": ["017700000001", "0177.0.0.1", "0177.0.0.0x1", "00177.00.00.01"],
    "hexadecimal": ["0x7f000001", "0X7F000001", "0x7f.0.0.1", "0x7f.0x0.0x0.0x1", "0x000000007f000001"],
    "unspecified": ["0", "0.0.0.0", "0x0", "00", "0.0", "[::]", "[0:0:0:0:0:0:0:0]"],
    "name": ["localhost", "LOCALHOST", "LocalHost.", "localhost..", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌｏｃａｌｈｏｓｔ"],
    "trailing dot": ["127.0.0.1.", "127.0.0.1..", "0x7f.1."],
    "percent": ["127%2e0%2e0%2e1", "%31%32%37.0.0.1", "127.0.0.1%00", "127.0.0.1%23.example"],
    "full width": ["１２７.０.０.１", "127。0。0。1", "１２７｡０｡０｡１", "①②⑦.⓪.⓪.①", "𝟏𝟐𝟕.𝟎.𝟎.𝟏", "0ｘ7f000001"],
    "loopback of IPv6": ["[::1]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0.0.0.1]"],
    "mapped": ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]", "[0:0:0:0:0:ffff:127.0.0.1]"],
    "userinfo": ["user@127.0.0.1", "user:word@localhost", "1.1.1.1@127.0.0.1", "1.1.1.1%40@127.0.0.1", "@127.0.0.1"],
    "confusing": [
        "127.0.0.1:PORT#@1.1.1.1",
        "127.0.0.1:PORT?@1.1.1.1",
        "127.0.0.1:PORT/@1.1.1.1",
        "1.1.1.1\\@127.0.0.1",
        "127.0.0.1\\.example",
        "127.0.0.1\t",
        "127.0.\n0.1",
    ],
}
ELSEWHERE = {
    "compatible": ["[::127.0.0.1]", "[::7f00:1]", "[::10.0.0.1]"],
    "translated": ["[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]"],
    "tunnelled": ["[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::]", "[fe80::5efe:7f00:1]", "192.88.99.1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.0.1", "3232235521", "0300.0250.0.1", "0xc0.168.1"],
    "carrier": ["100.64.0.1", "100.127.255.254", "100.100.100.200", "0x64.0x40.0.1"],
    "link-local": ["169.254.0.1", "[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[fe80::1%lo]"],
    "metadata": [
        *("169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"),
        *("[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]"),
        *("192.0.0.192", "168.63.129.16", "0xa83f8110", "[::ffff:168.63.129.16]", "[fe80::a9fe:a9fe]"),
    ],
    "unique local": ["[fd00::1]", "[fc00::1]", "[fec0::1]"],
    "multicast": ["224.0.0.1", "224.0.0.251", "239.255.255.250", "[ff02::1]", "[ff05::1:3]"],
    "reserved": ["0.1.2.3", "240.0.0.1", "255.255.255.255", "4294967295", "[100::1]", "[5f00::1]", "[4000::1]"],
    "benchmarks": ["198.18.0.1", "198.19.255.254", "[2001:2::1]"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "[2001:db8::1]", "[3fff::1]"],
}
ROWS = [
    pytest.param(spelling, id=f"{kind}: {spelling.encode('unicode_escape').decode()}")
    for kind, spellings in (HOME | ELSEWHERE).items()
    for spelling in spellings
]
# Where the fault lies: some systems know fewer spellings of an address than others.
REFUSED = {"egress_blocked", "invalid_url", "dns_failed"}
REFUSED_REDIRECT = REFUSED | {"invalid_redirect", "invalid_response"}
# A name server's answers, none of which a step may call.
ANSWERS = {
    "metadata.google.internal": ["169.254.169.254"],
    "127.0.0.1.wildcard.example": ["127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "translated.example": ["64:ff9b::7f00:1"],
    "zone.example": ["fe80::1%lo"],
    "many.example": ["10.0.0.1", "127.0.0.1", "::1", "fd00::1"],
    "rubbish.example": ["0x7f000001"],
    "nothing.example": [],
}


class Place(Struct):
    """A private target that nobody may reach, one that redirects wherever its query says, and the client."""

    private: Target
    opened: Target
    client: HttpClient


async def redirect(received: Received, writer: asyncio.StreamWriter) -> None:
    (to,) = parse_qs(urlsplit(received.path).query)["to"]
    write_answer(writer, 302, {"Location": to})


async def look_up(host: str, _port: int) -> list[str]:
    return ANSWERS[host]


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[Place]:
    async with serve(answer_ok) as private, serve(redirect) as opened:
        settings = Settings(http_allow_private=f"127.0.0.1:{opened.port}")
        async with HttpClient(settings) as client:
            yield Place(private, opened, client)


@pytest.fixture
async def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that a connection was begun to."""
    addresses: list[Any] = []
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def note(sock: Any, address: Any) -> None:
        addresses.append(address[:2])
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", note)
    return addresses


def write_url(spelling: str, port: int) -> str:
    return f"http://{spelling.replace('PORT', str(port))}:{port}/"


def test_the_table_is_long_and_says_nothing_twice() -> None:
    spellings = [spelling for many in (HOME | ELSEWHERE).values() for spelling in many]
    assert len(spellings) >= 100
    assert len(set(spellings)) == len(spellings)


@pytest.mark.parametrize("spelling", ROWS)
async def test_an_address_that_is_not_public_is_not_connected_to(
    place: Place, dialled: list[Any], spelling: str
) -> None:
    with pytest.raises(HttpError) as raised:
        await place.client.request("GET", write_url(spelling, place.private.port), timeout=30, max_redirects=3)
    assert raised.value.code in REFUSED
    assert (dialled, place.private.connections) == ([], 0)


@pytest.mark.parametrize("spelling", ROWS)
async def test_a_redirect_to_an_address_that_is_not_public_is_not_followed(
    place: Place, dialled: list[Any], spelling: str
) -> None:
    to = quote(write_url(spelling, place.private.port), safe="")
    with pytest.raises(HttpError) as raised:
        await place.client.request("GET", f"{place.opened.url}/?to={to}", timeout=30, max_redirects=3)
    assert raised.value.code in REFUSED_REDIRECT
    assert set(dialled) <= {("127.0.0.1", place.opened.port)}
    assert place.private.connections == 0


async def test_the_spellings_reach_the_target_where_everything_is_open() -> None:
    """So it is the guard that refuses them above, and not the way in which they are sent."""
    reached = set()
    async with serve(answer_ok) as target, HttpClient(Settings(http_allow_private="*")) as client:
        for kind, spellings in HOME.items():
            for spelling in spellings:
                try:
                    await client.request("GET", write_url(spelling, target.port), timeout=30)
                except HttpError as error:
                    assert error.code in {"invalid_url", "dns_failed", "connection_failed"}, spelling
                else:
                    reached.add(kind)
    assert reached >= {"dotted", "name", "full width"}
    assert target.connections > 0


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_name_that_stands_for_such_an_address_is_not_connected_to(
    place: Place, dialled: list[Any], name: str
) -> None:
    async with HttpClient(Settings(), lookup=look_up) as client:
        with pytest.raises(HttpError) as raised:
            await client.request("GET", f"http://{name}:{place.private.port}/", timeout=30)
    assert raised.value.code == ("egress_blocked" if ANSWERS[name] else "dns_failed")
    assert (dialled, place.private.connections) == ([], 0)


async def test_a_name_whose_answer_changes_all_the_time_leads_to_what_was_checked(
    place: Place, dialled: list[Any]
) -> None:
    asked = 0

    async def rebind(_host: str, _port: int) -> list[str]:
        nonlocal asked
        asked += 1
        return ["127.0.0.2" if asked % 2 else "127.0.0.1"]

    port = place.private.port
    # To this policy 127.0.0.2 is a public address, and 127.0.0.1 a private one.
    settings = Settings(http_allow_private="127.0.0.2/32")
    async with serve(answer_ok, host="127.0.0.2", port=port) as harmless:
        for _ in range(20):
            # A client of its own each time: none finds a kept connection or a remembered name.
            async with HttpClient(settings, lookup=rebind) as client:
                before = asked
                try:
                    await client.request("GET", f"http://rebinding.example:{port}/", timeout=30)
                except EgressBlockedError:
                    assert asked % 2 == 0
                assert asked == before + 1, "the address that is checked is the one that is used"
    assert len(harmless.received) == 10
    assert set(dialled) == {("127.0.0.2", port)}
    assert place.private.connections == 0


async def test_credentials_that_another_origin_did_not_get_do_not_come_back(place: Place) -> None:
    opened = place.opened
    by_name = f"http://localhost:{opened.port}"
    back = quote(f"{opened.url}/?to=/end", safe="")
    chain = f"{opened.url}/?to={quote(f'{by_name}/?to={back}', safe='')}"
    settings = Settings(http_allow_private=f"127.0.0.1:{opened.port},localhost:{opened.port}")
    before = len(opened.received)
    async with HttpClient(settings) as client:
        headers = {"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2", "Accept": "text/plain"}
        with pytest.raises(TooManyRedirectsError):
            await client.request("GET", chain, headers=headers, timeout=30, max_redirects=2)
    seen = [(hop.header("host"), hop.header("authorization"), hop.header("accept")) for hop in opened.received[before:]]
    home = f"127.0.0.1:{opened.port}"
    assert seen == [
        (home, "Bearer hunter2", "text/plain"),
        (f"localhost:{opened.port}", None, "text/plain"),
        (home, None, "text/plain"),
    ]
