"""The one door to the network: every connection of the HTTP client is resolved, checked and opened here."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial

import aiohttp
from aiohappyeyeballs.types import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.tracing import Trace

from engine.infra.egress import EgressPolicy

# Look-ups of a slow name server block a thread each; a pool of their own keeps them away from everything else.
LOOKUP_THREADS = 32
# A burst of new connections is spread: a slot is held while one opens, but never longer than this, so that
# targets that do not answer cannot keep the others waiting.
OPENING_SLOTS = 256
OPENING_SLOT_SECONDS = 0.25
# Servers drop idle connections after 5 s (Node's default) or later. Giving them up earlier avoids requests that die
# on a connection which the server is closing.
IDLE_SECONDS = 4.0

Lookup = Callable[[str, int], Awaitable[list[str]]]

# The host that a connection is opened for: the socket factory itself is told the address only.
_host_of_connection: ContextVar[str] = ContextVar("host_of_connection", default="")


class SystemLookup:
    """Look names up as the operating system does, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a name, in the order to try; raises socket.gaierror."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Take no more look-ups; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    # Bytes, because a str goes through Python's slow codec for international names; the URL has encoded them already.
    infos = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [_address_text(address) for _, _, _, _, address in infos]


def _address_text(address: tuple[object, ...]) -> str:
    """An address as text. The zone of a link-local one stays visible, because the policy refuses it."""
    ip, _, *rest = address
    return f"{ip}%{rest[1]}" if rest and rest[1] else str(ip)


def _family_of(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


class GuardedResolver(AbstractResolver):
    """Names become addresses that the policy allows, or TargetNotAllowedError.

    This gives good errors and keeps the public addresses of a mixed answer; the guard is the socket factory.
    """

    def __init__(self, policy: EgressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The allowed addresses of a host; raises socket.gaierror or TargetNotAllowedError."""
        found = await self._lookup(host, port)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        allowed = [ip for ip in found if self._policy.allows(host, ip, port)]
        if not allowed:
            self._policy.check(host, found[0], port)
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=_family_of(ip),
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for ip in allowed
            if family in (socket.AF_UNSPEC, _family_of(ip))
        ]

    async def close(self) -> None:
        """Nothing to give back: the lookup belongs to the client."""


class Channel(ResponseHandler):
    """One connection, with what a request needs to know of its past."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        # An answer has come over it, after which it was kept.
        self.is_kept = False
        # Something has come since it was opened, kept, or taken for a request.
        self.has_heard = False

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self.has_heard = True
        super().data_received(data)


def _make_channel(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return Channel(loop)


class GuardedConnector(aiohttp.TCPConnector):
    """Opens connections only to addresses that the policy allows, and not too many at once.

    The policy is asked about the very address that is connected to, at the moment when the socket is made: that holds
    for address literals in any spelling, for names whose address changes, and for redirects alike.
    """

    def __init__(
        self, policy: EgressPolicy, lookup: Lookup, *, limit_per_host: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(
            resolver=GuardedResolver(policy, lookup),
            socket_factory=self._open_socket,
            limit=0,
            limit_per_host=limit_per_host,
            keepalive_timeout=IDLE_SECONDS,
            ssl=tls or True,
        )
        self._factory = partial(_make_channel, asyncio.get_running_loop())
        self._policy = policy
        self._opening = asyncio.Semaphore(OPENING_SLOTS)

    def _open_socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        ip, port = address[0], address[1]
        self._policy.check(_host_of_connection.get() or ip, ip, port)
        return socket.socket(family=family, type=kind, proto=protocol)

    async def _wait_for_available_connection(self, key: ConnectionKey, traces: list[Trace]) -> None:
        try:
            await super()._wait_for_available_connection(key, traces)
        except BaseException:
            # A connection may have become free for this very request as it was given up: it is the next one's.
            self._release_waiter()
            raise

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        _host_of_connection.set(req.url.raw_host or "")
        await self._opening.acquire()
        slot = _Slot(self._opening)
        try:
            return await super()._create_connection(req, traces, timeout)
        finally:
            slot.give_back()


class _Slot:
    """A place among the connections being opened, given back when the connection stands or has taken its time."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots: asyncio.Semaphore | None = slots
        self._timer = asyncio.get_running_loop().call_later(OPENING_SLOT_SECONDS, self.give_back)

    def give_back(self) -> None:
        self._timer.cancel()
        if self._slots is not None:
            self._slots.release()
            self._slots = None
