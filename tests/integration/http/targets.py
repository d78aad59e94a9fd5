"""Targets for the HTTP client: small servers on 127.0.0.1 that answer, or misbehave, as a test wants."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct


class Received(Struct):
    """A request as it came over the wire; header names are lower case."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header that comes once, or None."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None


class Target(Struct):
    """A running server and what it saw."""

    port: int = 0
    scheme: str = "http"
    connections: int = 0
    received: list[Received] = []

    @property
    def url(self) -> str:
        """The address of the root."""
        return f"{self.scheme}://127.0.0.1:{self.port}"


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serve(
    answer: Answer, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Target]:
    """A target that treats every request with `answer`, for as long as the block lasts."""
    target = Target(scheme="https" if tls else "http")
    connections: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target.connections += 1
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            while not writer.is_closing():
                received = await read_request(reader)
                target.received.append(received)
                await answer(received, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, host, port, ssl=tls, limit=1 << 20)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
    length = int(dict(headers).get("content-length", "0"))
    return Received(method, path, headers, await reader.readexactly(length))


def write_answer(
    writer: asyncio.StreamWriter, status: int = 200, headers: dict[str, str] | None = None, body: bytes = b""
) -> None:
    fields = {"Content-Length": str(len(body)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body)


async def answer_ok(_received: Received, writer: asyncio.StreamWriter) -> None:
    """Answer 200 `ok`, and keep the connection."""
    write_answer(writer, body=b"ok")


async def answer_echo(received: Received, writer: asyncio.StreamWriter) -> None:
    """Answer with the request as JSON."""
    write_answer(writer, headers={"Content-Type": "application/json"}, body=msgspec.json.encode(received))


def answering(raw: bytes) -> Answer:
    """Answer with exactly these bytes, then close."""

    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    return answer


def redirecting(location: str, status: int = 302) -> Answer:
    """Redirect everything to one place."""

    async def answer(_received: Received, writer: asyncio.StreamWriter) -> None:
        write_answer(writer, status, {"Location": location})

    return answer


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection with a TCP reset."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def make_certificate(folder: Path, name: str, *, days: int = 1) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A self-signed certificate for a name: the server's context, and one for clients that trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = folder / "certificate.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(public, private)
    return server, ssl.create_default_context(cafile=str(public))
