"""Recording of sampled spans with the OpenTelemetry SDK, and their export over OTLP/HTTP off the event loop."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Sequence
from contextvars import Token
from types import TracebackType
from typing import Self

import structlog
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from engine.infra.metrics import TRACE_SPANS
from engine.infra.settings import Settings
from engine.infra.telemetry import Attributes, Span

QUEUE_SPANS = 20_000
_BATCH_SPANS = 512
_SEND_EVERY_MS = 1000
_EXPORT_SECONDS = 5.0
_SHUTDOWN_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class OtlpRecorder:
    """Records spans and sends them from a thread; what the collector does not take is counted and forgotten."""

    def __init__(self, settings: Settings, role: str) -> None:
        # Set before the first export: the exporter's own line per failed batch says less than ours per change.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        endpoint = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
        gate = _Gate()
        exporter = _CountingExporter(OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_SECONDS), gate)
        self._exporter = exporter
        self._ids = _GivenTraceIds()
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.trace_sample_ratio)),
            resource=Resource.create(
                {
                    "service.name": f"flowforge-{role}",
                    "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
                    "process.pid": os.getpid(),
                }
            ),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(_CountingProcessor(exporter, gate))
        self._tracer = self._provider.get_tracer("flowforge")
        # Step types of third parties find the recorder under OpenTelemetry's own name.
        trace.set_tracer_provider(self._provider)

    def start(
        self, name: str, parent: str, *, is_root: bool, kind: str, links: Sequence[str], attributes: Attributes
    ) -> Span:
        """A recorded span below `parent`; a root takes its trace id from `parent`, so that the sampler agrees."""
        above = _span_context(parent)
        if is_root:
            self._ids.give(above.trace_id)
            parent_context = Context()
        else:
            parent_context = trace.set_span_in_context(NonRecordingSpan(above), Context())
        recorded = self._tracer.start_span(
            name,
            context=parent_context,
            kind=SpanKind[kind.upper()],
            attributes=dict(attributes),
            links=[Link(_span_context(link)) for link in links],
        )
        return _RecordedSpan(recorded)

    def shutdown(self) -> None:
        """Send what is left; a collector that does not answer is given up after 2 seconds."""
        thread = threading.Thread(target=self._provider.shutdown, name="telemetry-shutdown", daemon=True)
        thread.start()
        thread.join(_SHUTDOWN_SECONDS)
        if thread.is_alive():
            # Ends the pause before the next attempt, if it is in one.
            self._exporter.shutdown()


class _RecordedSpan(Span):
    __slots__ = ("_attached", "_span")

    def __init__(self, recorded: trace.Span) -> None:
        self._span = recorded
        self._attached: Token[Context] | None = None
        found = recorded.get_span_context()
        super().__init__(f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}")

    def __enter__(self) -> Self:
        self._attached = context.attach(trace.set_span_in_context(self._span))
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._attached is not None:
            context.detach(self._attached)
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self._span.record_exception(error)
            self.fail(f"{type(error).__name__}: {error}")
        self._span.end()

    @property
    def is_recorded(self) -> bool:
        return True

    def set_attribute(self, name: str, value: str | float | bool) -> None:
        self._span.set_attribute(name, value)

    def fail(self, message: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, message))


def _span_context(traceparent: str) -> SpanContext:
    _version, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


class _GivenTraceIds(RandomIdGenerator):
    """Lets the next root span of this thread have a trace id that is known already."""

    def __init__(self) -> None:
        self._given = threading.local()

    def give(self, trace_id: int) -> None:
        self._given.trace_id = trace_id

    def generate_trace_id(self) -> int:
        given: int | None = self._given.__dict__.pop("trace_id", None)
        return super().generate_trace_id() if given is None else given


class _Gate:
    """Counts the spans between end and export, to know of those that the full queue pushed out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0

    def enter(self) -> bool:
        """Whether the queue had room; otherwise the span pushed the oldest one out."""
        with self._lock:
            has_room = self._waiting < QUEUE_SPANS
            self._waiting += has_room
        return has_room

    def leave(self, count: int) -> None:
        with self._lock:
            self._waiting -= count


class _CountingProcessor(BatchSpanProcessor):
    def __init__(self, exporter: SpanExporter, gate: _Gate) -> None:
        super().__init__(
            exporter,
            max_queue_size=QUEUE_SPANS,
            schedule_delay_millis=_SEND_EVERY_MS,
            max_export_batch_size=_BATCH_SPANS,
        )
        self._gate = gate
        self._dropped = TRACE_SPANS.labels("dropped")

    def on_end(self, span: ReadableSpan) -> None:
        if not self._gate.enter():
            self._dropped.inc()
        super().on_end(span)


class _CountingExporter(SpanExporter):
    def __init__(self, exporter: SpanExporter, gate: _Gate) -> None:
        self._exporter = exporter
        self._gate = gate
        self._outcomes = {result: TRACE_SPANS.labels(name) for result, name in _OUTCOMES.items()}
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._gate.leave(len(spans))
        result = self._exporter.export(spans)
        self._outcomes[result].inc(len(spans))
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing != self._is_failing:
            self._is_failing = is_failing
            _log.warning("trace_export_fails") if is_failing else _log.info("trace_export_recovered")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


_OUTCOMES = {SpanExportResult.SUCCESS: "exported", SpanExportResult.FAILURE: "failed"}
