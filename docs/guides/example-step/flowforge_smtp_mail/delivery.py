"""SMTP: the server of the environment, the message, and what became of it."""

import contextlib
import hashlib
import ipaddress
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from engine.steps.base import StepFailure

_SHORTEST_SECONDS = 0.1
_TEMPORARY, _PERMANENT = 400, 500


class Server(Struct, frozen=True, kw_only=True):
    """Where mail is handed in, and from whom it comes."""

    host: str
    port: int
    is_tls: bool
    user: str
    password: str
    sender: str


def read_server(environment: Mapping[str, str]) -> Server:
    """The server of SMTP_MAIL_URL and the sender of SMTP_MAIL_FROM; raises StepFailure `smtp_not_configured`."""
    url, sender = environment.get("SMTP_MAIL_URL", ""), environment.get("SMTP_MAIL_FROM", "")
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or port == -1:
        raise StepFailure("smtp_not_configured", "SMTP_MAIL_URL of the workers names no server: smtps://mail.example")
    if not sender:
        raise StepFailure("smtp_not_configured", "SMTP_MAIL_FROM of the workers names no sender")
    is_tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname,
        port=port or (465 if is_tls else 587),
        is_tls=is_tls,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=sender,
    )


def write_message(
    sender: str, recipients: Sequence[str], *, subject: str, text: str, reply_to: str | None, idempotency_key: str
) -> EmailMessage:
    """The message; its Message-ID is the same in every attempt, so that one which comes twice is recognised."""
    message = EmailMessage()
    digest = hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
    headers = {
        "From": sender,
        "To": ", ".join(recipients),
        "Subject": " ".join(subject.split()),
        "Reply-To": reply_to,
        "Date": formatdate(),
        "Message-ID": f"<{digest}@{sender.rpartition('@')[2]}>",
    }
    for name, value in headers.items():
        if value:
            message[name] = value
    message.set_content(text)
    return message


def deliver(server: Server, message: EmailMessage, seconds: float) -> dict[str, str]:
    """Hand the message in, and give what was said of each refused address; raises StepFailure. Blocks."""
    try:
        connection = _connect(server, max(seconds, _SHORTEST_SECONDS))
        try:
            if server.user:
                connection.login(server.user, server.password)
            refused = connection.send_message(message)
            # It is handed in: what the server says to our goodbye is no reason to do it again.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                connection.quit()
        finally:
            connection.close()
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused(error) from None
    except smtplib.SMTPResponseException as error:
        raise _answered(error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise StepFailure("smtp_unsupported", f"{server.host} cannot do what is needed: {error}") from None
    except (OSError, smtplib.SMTPException) as error:
        # smtplib tells of a silence as if the connection had been closed.
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            late = f"{server.host} did not answer in time"
            raise StepFailure("timeout", late, cause="timeout", retryable=True) from None
        message_text = f"{server.host}:{server.port} cannot be reached: {error}"
        raise StepFailure("smtp_connection", message_text, cause="connection", retryable=True) from None
    return {address: _say(code, text) for address, (code, text) in refused.items()}


def _connect(server: Server, seconds: float) -> smtplib.SMTP:
    if server.is_tls:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=ssl.create_default_context())
    connection = smtplib.SMTP(server.host, server.port, timeout=seconds)
    try:
        connection.ehlo_or_helo_if_needed()
        if connection.has_extn("starttls") or not _is_here(server.host):
            connection.starttls(context=ssl.create_default_context())
    except BaseException:
        connection.close()
        raise
    return connection


def _is_here(host: str) -> bool:
    """Whether the way to the server does not leave this machine, so that it need not be hidden."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refused(error: smtplib.SMTPRecipientsRefused) -> StepFailure:
    """Nobody took it: for good where every answer says so."""
    answers = {address: _say(code, text) for address, (code, text) in error.recipients.items()}
    is_temporary = any(_TEMPORARY <= code < _PERMANENT for code, _ in error.recipients.values())
    told = "; ".join(f"{address}: {answer}" for address, answer in answers.items())
    return StepFailure("recipients_refused", f"no address was taken: {told}", retryable=is_temporary, details=answers)


def _answered(code: int, text: bytes | str) -> StepFailure:
    is_temporary = _TEMPORARY <= code < _PERMANENT
    return StepFailure("smtp_refused", f"the server answered {_say(code, text)}", retryable=is_temporary)


def _say(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"
