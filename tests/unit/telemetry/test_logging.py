"""Log lines: one JSON object each, with their trace, without secrets, from whoever writes them."""

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog

from engine.infra.logging import configure_logging
from engine.infra.settings import Settings
from engine.infra.telemetry import span

TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("opentelemetry").setLevel(logging.NOTSET)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_says_what_when_who_and_in_which_trace(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(), "worker")
    structlog.contextvars.bind_contextvars(run_id="r1")
    with span("step", parent=TRACEPARENT):
        structlog.get_logger().info("step_finished", step_id="fetch", at={1, 2})
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "message": "step_finished",
        "level": "info",
        "role": "worker",
        "pid": os.getpid(),
        "run_id": "r1",
        "step_id": "fetch",
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "at": [1, 2],
    }


def test_the_standard_librarys_lines_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(), "api")
    logging.getLogger("some.library").warning("took %d s", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second = lines(capsys)
    assert (first["message"], first["level"], first["logger"], first["role"]) == (
        "took 3 s",
        "warning",
        "some.library",
        "api",
    )
    assert "old" in second["message"]


@pytest.mark.parametrize("name", ["uvicorn.access", "arq.worker", "opentelemetry.sdk.trace"])
def test_chatty_libraries_are_quiet(capsys: pytest.CaptureFixture[str], name: str) -> None:
    configure_logging(Settings(log_level="debug"), "worker")
    logging.getLogger(name).info("one line a job")
    assert lines(capsys) == []


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(), "worker")
    try:
        int("bad")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed too")
    for line in lines(capsys):
        assert "ValueError: invalid literal" in line["exception"]


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_level="warning"), "worker")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    assert lines(capsys) == []


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"password": "s3cret"}, id="password"),
        pytest.param({"Authorization": "s3cret"}, id="header"),
        pytest.param({"headers": {"Set-Cookie": "s3cret"}}, id="nested"),
        pytest.param({"calls": [{"api_key": "s3cret"}]}, id="in a list"),
        pytest.param({"access_token": ["s3cret"]}, id="a list under the name"),
        pytest.param({"client_secret": b"s3cret"}, id="bytes"),
        pytest.param({"url": "postgresql://user:s3cret@host/db"}, id="in a URL"),
        pytest.param({"error": RuntimeError("redis://:s3cret@host is away")}, id="in an error"),
        pytest.param({"text": "sent Bearer s3cret to host"}, id="bearer token"),
        pytest.param({"a": {"a": {"a": {"a": {"a": {"a": {"a": {"password": "s3cret"}}}}}}}}, id="too deep to look"),
    ],
)
def test_secrets_are_masked(capsys: pytest.CaptureFixture[str], values: dict[str, Any]) -> None:
    configure_logging(Settings(), "worker")
    structlog.get_logger().error("called", **values)
    written = capsys.readouterr().out
    assert "s3cret" not in written
    assert "***" in written


def test_secrets_in_exceptions_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(), "worker")
    try:
        int("postgresql://flowforge:s3cret@host/db")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "s3cret" not in capsys.readouterr().out


def test_console_lines_are_masked_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="console"), "worker")
    structlog.get_logger().warning("called", password="s3cret", step_id="fetch")
    written = capsys.readouterr().out
    assert "fetch" in written
    assert "s3cret" not in written


def test_a_reader_that_went_away_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    configure_logging(Settings(), "worker")
    monkeypatch.setattr(sys, "stdout", Broken())
    structlog.get_logger().info("nobody reads this")


def test_a_child_logs_under_its_own_role(capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.get_logger("module")
    configure_logging(Settings(), "supervisor")
    log.info("before")
    configure_logging(Settings(), "worker")
    log.info("after")
    assert [line["role"] for line in lines(capsys)] == ["supervisor", "worker"]
