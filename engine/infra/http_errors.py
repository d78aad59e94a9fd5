"""What can go wrong with an outgoing HTTP request, and how the library's exceptions become it.

HttpError
├── InvalidUrlError          the URL cannot be called
├── InvalidHeaderError       a header cannot be sent
├── EgressBlockedError       the target is private or otherwise not open to steps
├── TlsError                 the certificate or the handshake failed
├── TooManyRedirectsError    more redirects than allowed
├── InvalidRedirectError     a redirect to no URL, or from https to http
├── ResponseTooLargeError    the (decompressed) body is over the limit
│   and those that may go away by themselves:
├── RequestTimeoutError      no complete answer in time
├── DnsFailedError           the name has no address
├── ConnectionFailedError    no connection came about
├── ConnectionLostError      the connection ended before the answer did
├── InvalidResponseError     the answer is not HTTP
└── InvalidEncodingError     the body is not what its Content-Encoding says
"""

import os
import socket
import ssl
from typing import ClassVar, Literal

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from engine.infra.egress import TargetNotAllowedError

Cause = Literal["timeout", "connection"]


class HttpError(Exception):
    """A request has no usable answer; `code` is stable, `message` is a sentence for the person who built the step."""

    code: ClassVar[str]
    cause: ClassVar[Cause | None] = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may well succeed later."""
        return self.cause is not None


class InvalidUrlError(HttpError):
    """The URL cannot be called."""

    code = "invalid_url"


class InvalidHeaderError(HttpError):
    """A header cannot be sent: it would break the message, or it belongs to the client."""

    code = "invalid_header"


class EgressBlockedError(HttpError):
    """The target is not open to steps."""

    code = "egress_blocked"


class RequestTimeoutError(HttpError):
    """No complete answer came in time."""

    code = "timeout"
    cause = "timeout"


class DnsFailedError(HttpError):
    """The name of the target has no address."""

    code = "dns_failed"
    cause = "connection"


class ConnectionFailedError(HttpError):
    """No connection to the target came about."""

    code = "connection_failed"
    cause = "connection"


class ConnectionLostError(HttpError):
    """The connection ended before the answer did: the target may or may not have acted."""

    code = "connection_reset"
    cause = "connection"


class InvalidResponseError(HttpError):
    """What came back is not HTTP."""

    code = "invalid_response"
    cause = "connection"


class InvalidEncodingError(HttpError):
    """The body is not what its Content-Encoding says."""

    code = "invalid_content_encoding"
    cause = "connection"


class TlsError(HttpError):
    """The target could not prove who it is, or speaks no TLS that is safe."""

    code = "tls_error"


class TooManyRedirectsError(HttpError):
    """The target redirects more often than allowed."""

    code = "too_many_redirects"


class InvalidRedirectError(HttpError):
    """The target redirects to where the client does not follow."""

    code = "invalid_redirect"


class ResponseTooLargeError(HttpError):
    """The body, decompressed, is over the limit."""

    code = "response_too_large"


def translate(error: Exception, host: str) -> HttpError:
    """The HttpError that an exception of aiohttp or the operating system stands for."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return _translate_connecting(error, host)
    if _is_about_encoding(error):
        return InvalidEncodingError(
            f"The body from {host} is not what its Content-Encoding says, or cannot be unpacked"
        )
    if isinstance(error, aiohttp.ClientPayloadError):
        return ConnectionLostError(f"{host} closed the connection in the middle of the body")
    if isinstance(error, HttpProcessingError):
        # The lines after the first show the bytes that came.
        reason = error.message.partition("\n")[0].rstrip(": ") or "it cannot be parsed"
        return InvalidResponseError(f"What {host} answered is not HTTP: {reason}")
    if isinstance(error, aiohttp.InvalidURL):
        return InvalidUrlError(f"The URL cannot be called: {error.description or 'it is malformed'}")
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return ConnectionLostError(f"{host} closed the connection before it answered")
    return InvalidResponseError(f"The exchange with {host} failed: {_reason(error)}")


def _is_about_encoding(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ContentEncodingError):
        error = error.__cause__
    return error is not None


def _translate_connecting(error: aiohttp.ClientConnectorError, host: str) -> HttpError:
    cause = error.os_error
    if isinstance(cause, TargetNotAllowedError):
        return EgressBlockedError(str(cause))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return DnsFailedError(f"The name {host} cannot be resolved: {_reason(cause)}")
    # An end of file in the handshake is a server going away, not one that cannot prove who it is.
    if isinstance(error, aiohttp.ClientSSLError) and not isinstance(cause, ssl.SSLEOFError):
        return TlsError(f"The TLS connection to {host} failed: {_reason(cause)}")
    return ConnectionFailedError(f"No connection to {host} came about: {_reason(cause)}")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verification failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "handshake failed").lower().replace("_", " ")
    if isinstance(error, socket.gaierror) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, OSError) and error.errno:
        # asyncio's own text names the call that failed, not why.
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
