"""Sampled traces reach the collector; a collector that is slow or away reaches nobody."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from engine.infra import trace_export
from engine.infra.metrics import TRACE_SPANS
from engine.infra.settings import Settings
from engine.infra.telemetry import (
    configure_telemetry,
    is_sampled,
    new_traceparent,
    shutdown_telemetry,
    span,
)
from tests.product import PATIENCE_SECONDS

UNSAMPLED = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
SAMPLED = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


class Collector:
    """An OTLP/HTTP receiver that keeps what it is sent."""

    def __init__(self) -> None:
        spans: Queue[tuple[str, WireSpan]] = Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    facts = {a.key: a.value.string_value for a in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        for found in scope.spans:
                            spans.put((facts["service.name"], found))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.spans = spans
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self) -> dict[str, WireSpan]:
        found = {}
        while not self.spans.empty():
            _, got = self.spans.get()
            found[got.name] = got
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(autouse=True)
def nothing_configured() -> Iterator[None]:
    yield
    shutdown_telemetry()
    for thread in threading.enumerate():
        if thread.name == "OtelBatchSpanRecordProcessor":
            thread.join(10)
    logging.getLogger("opentelemetry").setLevel(logging.NOTSET)


def count_spans(outcome: str) -> float:
    value: float = TRACE_SPANS.labels(outcome)._value.get()
    return value


def test_the_ratio_decides_about_new_traces(collector: Collector) -> None:
    configure_telemetry(Settings(otlp_endpoint=collector.endpoint, trace_sample_ratio=0.5), "test")
    sampled = sum(is_sampled(new_traceparent()) for _ in range(2000))
    assert 850 < sampled < 1150


def test_a_sampled_trace_is_recorded_and_sent(collector: Collector) -> None:
    configure_telemetry(Settings(otlp_endpoint=collector.endpoint, trace_sample_ratio=1), "worker")
    linked = new_traceparent()
    with span("trigger", kind="server") as trigger:
        carried = trigger.traceparent
    with span("step", parent=carried, links=[linked], attributes={"step.id": "fetch"}) as step:
        step.set_attribute("http.response.status_code", 200)
    with pytest.raises(ValueError, match="bad answer"), span("failed", parent=carried):
        raise ValueError("bad answer")
    shutdown_telemetry()
    service, _ = collector.spans.queue[0]
    found = collector.take()
    assert service == "flowforge-worker"
    assert set(found) == {"trigger", "step", "failed"}
    assert f"00-{found['trigger'].trace_id.hex()}-{found['trigger'].span_id.hex()}" == carried[:-3]
    assert found["trigger"].parent_span_id == b""
    assert found["trigger"].kind == WireSpan.SPAN_KIND_SERVER
    assert found["step"].parent_span_id == found["trigger"].span_id == found["failed"].parent_span_id
    assert found["step"].links[0].trace_id.hex() == linked.split("-")[1]
    assert {a.key for a in found["step"].attributes} == {"step.id", "http.response.status_code"}
    assert "bad answer" in found["failed"].status.message
    assert found["failed"].events[0].name == "exception"


def test_an_unsampled_trace_is_not_sent(collector: Collector) -> None:
    configure_telemetry(Settings(otlp_endpoint=collector.endpoint, trace_sample_ratio=0), "test")
    with span("root") as root, span("child"):
        assert not root.is_recorded
    shutdown_telemetry()
    assert collector.take() == {}


def test_cancellation_is_no_error(collector: Collector) -> None:
    configure_telemetry(Settings(otlp_endpoint=collector.endpoint, trace_sample_ratio=1), "test")
    with pytest.raises(asyncio.CancelledError), span("cancelled"):
        raise asyncio.CancelledError
    shutdown_telemetry()
    assert collector.take()["cancelled"].status.code == 0


def test_a_collector_that_never_answers_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_export, "QUEUE_SPANS", 1000)
    with socket.create_server(("127.0.0.1", 0)) as hole:
        endpoint = f"http://127.0.0.1:{hole.getsockname()[1]}"
        configure_telemetry(Settings(otlp_endpoint=endpoint, trace_sample_ratio=1), "test")
        dropped = count_spans("dropped")
        began = time.thread_time()
        for _ in range(2_500):
            with span("work"):
                pass
        worked = time.thread_time() - began
        began = time.monotonic()
        shutdown_telemetry()
        assert time.monotonic() - began < 3
        assert worked / 2_500 < 0.001
        # The queue holds 1,000 and one batch of 512 is under way: what did not fit is counted.
        assert 900 < count_spans("dropped") - dropped <= 1_500


def test_a_collector_that_is_away_counts_as_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    configure_telemetry(Settings(otlp_endpoint=f"http://127.0.0.1:{port}", trace_sample_ratio=1), "test")
    failed = count_spans("failed")
    with span("work"):
        pass
    shutdown_telemetry()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count_spans("failed") == failed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert count_spans("failed") == failed + 1
