"""HTTP on one connection, with bounds on what of a request is no body: uvicorn's protocol has none of its own.

Whatever comes before the body is held in memory before anybody is asked who sends it, and so are the lines that may
follow a body in chunks.
"""

import time
from http import HTTPStatus
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Of method, address and all headers together; cookies, a token and what proxies add take a few KiB.
MAX_HEAD_BYTES: Final = 65_536
# A head is one packet or two: whoever takes so long for it keeps a connection from others.
HEAD_SECONDS: Final = 20.0


class _HeadTooLarge(Exception):
    """Ends the reading of a head."""


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a head that is too large, as soon as it is, and gives up one that does not come."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_in_head = True
        self._is_too_large = False
        # What came since the head began, at the most; with what else came along with its end.
        self._head_bytes = 0
        self._head_since: float | None = time.monotonic()
        # What came since the last part of a body, which is no body: sizes of chunks, and lines behind the last one.
        self._framing_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._is_in_head:
            self._head_bytes += len(data)
        else:
            self._framing_bytes += len(data)
        super().data_received(data)
        if self._framing_bytes > MAX_HEAD_BYTES and not self._is_in_head:
            self._give_up_framing()
        elif self._is_in_head and self._head_bytes and not self.transport.is_closing():
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse()
            elif self._head_since is None:
                self._head_since = time.monotonic()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; lines behind a body are dropped (RFC 9110, 6.5.1), for nobody has checked them as headers."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Hand on a part of the body."""
        self._framing_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Let the request begin, unless its head is too large."""
        # Only then it is worth counting.
        if self._head_bytes > MAX_HEAD_BYTES and self._measure_head() > MAX_HEAD_BYTES:
            self._is_too_large = True
            raise _HeadTooLarge
        self._is_in_head = False
        self._head_bytes, self._head_since, self._framing_bytes = 0, None, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Another head may follow."""
        self._is_in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request."""
        if self._is_too_large:
            self._refuse()
        else:
            super().send_400_response(msg)

    def give_up_late(self, now: float) -> None:
        """Close the connection where a head has been awaited for too long; `now` is of the monotonic clock."""
        if self._head_since is not None and now - self._head_since > HEAD_SECONDS and not self.transport.is_closing():
            self.transport.close()

    def _measure_head(self) -> int:
        # A header is written with a colon, a space and the end of its line.
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _give_up_framing(self) -> None:
        if self.transport.is_closing():
            return
        if self.cycle.response_started:
            self.transport.close()
        else:
            self._refuse()

    def _refuse(self) -> None:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        document = msgspec.json.encode(
            {
                "type": "urn:flowforge:problem:head_too_large",
                "title": status.phrase,
                "status": status.value,
                "detail": f"Address and headers of a request have at most {MAX_HEAD_BYTES:,} bytes together, "
                "and so have the lines behind its body.",
                "code": "head_too_large",
            }
        )
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(document)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + document)
        self.transport.close()
