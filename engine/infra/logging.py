"""Log lines: one JSON object a line on stdout, from structlog and the standard library alike, without secrets."""

import logging
import os
import re
import sys
import time
from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from engine.infra.settings import Settings
from engine.infra.telemetry import current_traceparent

MASK = "***"

# Libraries whose INFO lines cost more than they tell.
_QUIET = ("uvicorn", "uvicorn.access", "uvicorn.error", "arq", "arq.worker", "asyncio", "alembic", "httpx", "urllib3")
# The exporter logs each failed batch; engine.infra.telemetry reports a change of state once instead.
_SILENT = ("opentelemetry",)
_SECRET_KEY = re.compile(
    r"authorization|passw(or)?d|passphrase|secret|token|cookie|api[_-]?key|private[_-]?key|signature$", re.IGNORECASE
)
_SECRET_TEXT = re.compile(r"(?P<scheme>://[^\s:/@]*:)[^\s/@]+(?=@)|(?P<bearer>\bbearer\s+)[\w.~+/=-]+", re.IGNORECASE)
_MAX_DEPTH = 6


def configure_logging(settings: Settings, role: str) -> None:
    """Send every log line of this process, structlog's and the standard library's, to stdout in the set format."""
    level = logging.getLevelName(settings.log_level.upper())
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp(role),
        add_trace,
        structlog.processors.format_exc_info,
        mask_secrets,
        structlog.processors.EventRenamer("message"),
    ]
    if settings.log_format == "json":
        processors.append(structlog.processors.JSONRenderer(serializer=_encode))
    else:
        processors.append(structlog.dev.ConsoleRenderer(event_key="message", colors=sys.stdout.isatty()))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_line_writer,
        # A cached logger would keep the role of the parent in a forked child.
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=[_Bridge()], level=level, force=True)
    _quieten(_QUIET, max(level, logging.WARNING))
    _quieten(_SILENT, logging.CRITICAL)


def _quieten(names: Iterable[str], level: int) -> None:
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(level)


def _stamp(role: str) -> Processor:
    def stamp(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        event_dict["timestamp"] = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        event_dict["role"] = role
        event_dict["pid"] = os.getpid()
        return event_dict

    return stamp


def add_trace(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Name the current trace and span, so that a log line leads to its trace."""
    traceparent = current_traceparent()
    if traceparent is not None:
        _version, event_dict["trace_id"], event_dict["span_id"], _flags = traceparent.split("-")
    return event_dict


def mask_secrets(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Replace what is kept under the name of a secret, and credentials in URLs and bearer tokens inside texts."""
    return _masked_mapping(event_dict, 0)


def _masked_mapping(mapping: MutableMapping[Any, Any], depth: int) -> dict[Any, Any]:
    return {
        key: MASK if isinstance(key, str) and _SECRET_KEY.search(key) else _masked(value, depth)
        for key, value in mapping.items()
    }


def _masked(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _SECRET_TEXT.sub(_mask_text, value)
    if isinstance(value, bytes):
        return _masked(value.decode(errors="replace"), depth)
    if depth >= _MAX_DEPTH:
        return MASK if isinstance(value, dict | list | tuple | set) else value
    if isinstance(value, dict):
        return _masked_mapping(value, depth + 1)
    if isinstance(value, list | tuple | set):
        return [_masked(item, depth + 1) for item in value]
    if isinstance(value, BaseException):
        return _masked(repr(value), depth)
    return value


def _mask_text(match: re.Match[str]) -> str:
    return (match["scheme"] or match["bearer"]) + MASK


def _encode(value: Any, **_options: Any) -> str:
    # Sorting and other options of the standard library's encoder do not exist here; what has no JSON form is shown.
    return msgspec.json.encode(value, enc_hook=repr).decode()


class _LineWriter:
    """Writes lines to stdout; a reader that went away must not take the work down with it."""

    def msg(self, message: str) -> None:
        try:
            sys.stdout.write(message + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            return

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg


def _line_writer(*_arguments: Any) -> _LineWriter:
    return _LineWriter()


class _Bridge(logging.Handler):
    """Hands the standard library's records to structlog, so that every line has one shape."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            exc_info = record.exc_info if record.exc_info and record.exc_info[0] is not None else None
            structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=exc_info)
        except Exception:
            self.handleError(record)
