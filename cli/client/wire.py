"""HTTP as the client speaks it: one kept connection, plain errors, nothing followed elsewhere."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from cli.client.errors import UNUSABLE, ClientError

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Disconnected(Exception):
    """The connection broke, so that nobody knows whether the request was carried out."""


def normalise_url(url: str) -> str:
    """The address of a product without its trailing slash; raises ClientError where it is none."""
    parts = urlsplit(url)
    try:
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.query or parts.fragment or parts.username:
        raise ClientError(f"{url!r} is no address of FlowForge. It looks like http://127.0.0.1:8000.", UNUSABLE)
    return url.rstrip("/")


class Wire:
    """Requests to one product."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._is_secure = parts.scheme == "https"
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path
        self._kept: http.client.HTTPConnection | None = None

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """The answer to one request; raises Disconnected, or ClientError where nobody is there."""
        is_fresh = self._kept is None
        connection = self._kept or self._connect()
        self._kept = None
        try:
            connection.request(method, self._path + path, body, dict(headers))
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if not is_fresh and method == "GET":
                # The kept connection had been closed meanwhile.
                return self.send(method, path, headers, body)
            raise Disconnected(_describe(error)) from None
        if response.will_close:
            connection.close()
        else:
            self._kept = connection
        return Answer(status=response.status, headers=_lower(response), body=content)

    def open(self, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """An answer that goes on, over a connection of its own; raises Disconnected or ClientError."""
        connection = self._connect()
        try:
            connection.request("GET", self._path + path, None, dict(headers))
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Disconnected(_describe(error)) from None

    def close(self) -> None:
        """Close what is kept."""
        if self._kept:
            self._kept.close()
            self._kept = None

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise ClientError(f"{self.url}: no secure connection: {error.reason}. Correct --url.", UNUSABLE) from None
        except socket.gaierror:
            message = f"{self.url}: the host {self._host!r} is not known. Correct --url."
            raise ClientError(message, UNUSABLE) from None
        except ConnectionRefusedError:
            message = f"Nothing listens at {self.url}. Start it with `./flowforge up`, or name another by --url."
            raise ClientError(message, UNUSABLE) from None
        except OSError as error:
            raise ClientError(f"{self.url} cannot be reached: {_describe(error)}. Correct --url.", UNUSABLE) from None
        connection.sock.settimeout(ANSWER_SECONDS)
        return connection


def _lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _describe(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
