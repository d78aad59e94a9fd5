"""The product's metrics. Hot paths bind labels once (`X.labels(…)`) and only count; nothing here does I/O."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from engine.infra.tallies import SpreadTally, Tally

# The `_created` series double the size and nobody reads them.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left it untyped

REGISTRY = CollectorRegistry()
prometheus_client.ProcessCollector(namespace="flowforge", registry=REGISTRY)

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LONG = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 3600, 86_400)
_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"flowforge_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"flowforge_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = _FAST) -> Histogram:
    return Histogram(f"flowforge_{name}", text, labels, buckets=buckets, registry=REGISTRY)


# Ingest and API
HTTP_REQUESTS = _counter("http_requests", "Requests answered by the API", "method", "route", "status")
HTTP_REQUEST_SECONDS = _histogram("http_request_seconds", "Time to answer a request", "method", "route")
INGEST_EVENTS = _counter("ingest_events", "Inbound events by what became of them", "outcome")
INGEST_BATCH_ROWS = _histogram("ingest_batch_rows", "Inbound events committed together", buckets=_SIZES)
INGEST_WAITING = _gauge("ingest_waiting", "Inbound events that wait for their commit")
INGEST_REJECTED = _counter("ingest_rejected", "Calls of hooks that were refused, by the code of the answer", "reason")
INGEST_DRIFT = _gauge("ingest_drift", "Events by which acceptance and receipts differ, as the reconciler counts them")
HELD_RELEASED = _counter("held_released", "Runs started for events that were held back, by the rule", "kind")
HELD_LATE_SECONDS = _histogram("held_late_seconds", "Time by which held events started late", buckets=_LONG)
STREAM_CLIENTS = _gauge("stream_clients", "Open live streams")

# Runs and steps
RUNS_CREATED = _counter("runs_created", "Runs created", "trigger_type")
RUNS_FINISHED = _counter("runs_finished", "Runs that reached a terminal status", "status")
RUN_SECONDS = _histogram("run_seconds", "Time from a run's acceptance to its end", buckets=_LONG)
RUN_START_SECONDS = _histogram("run_start_seconds", "Time from a run's creation to its start")
RUNS_ACTIVE = _gauge("runs_active", "Runs in the memory of a worker")
STEPS_FINISHED = Tally(
    "flowforge_steps_finished", "Steps that reached a terminal status", ["type", "status"], registry=REGISTRY
)
STEP_SECONDS = SpreadTally("flowforge_step_seconds", "Time of one attempt", ["type"], buckets=_LONG, registry=REGISTRY)
STEP_RETRIES = _counter("step_retries", "Attempts that failed and are made again", "type")
STEPS_IN_FLIGHT = _gauge("steps_in_flight", "Attempts going on")
HTTP_RESENT = _counter("http_resent", "Requests of steps sent once more, as the target had closed a kept connection")

# Worker
JOURNAL_FLUSH_SECONDS = _histogram("journal_flush_seconds", "Time to commit a batch of transitions")
JOURNAL_BATCH_ROWS = _histogram("journal_batch_rows", "Transitions committed together", buckets=_SIZES)
JOURNAL_WAITING = _gauge("journal_waiting", "Transitions that wait for their commit")
RUNS_CLAIMED = _counter("runs_claimed", "Runs that a worker took")
RUNS_RECOVERED = _counter("runs_recovered", "Runs freed from a dead worker")
RUNS_STRANDED = _counter("runs_stranded", "Runs found with a worker that had been dead for long, and freed")
RUNS_SWEPT = _counter("runs_swept", "Runs found by the sweep, without a bell")
FENCED_WRITES = _counter("fenced_writes", "Batches refused because the worker had lost its lease")
TIMERS_FIRED = _counter("timers_fired", "Waiting runs released by their timer")
TIMER_LATE_SECONDS = _histogram("timer_late_seconds", "Time by which timers fired late")
SCHEDULE_LATE_SECONDS = _histogram("schedule_late_seconds", "Time by which schedules fired late", buckets=_LONG)
SCHEDULES_SKIPPED = _counter("schedules_skipped", "Schedules that passed over due times, by why", "reason")
EVENT_TRIGGERS = _counter("event_triggers", "Run events that met an event trigger, by what came of it", "outcome")
LIVE_EVENTS_DROPPED = _counter("live_events_dropped", "Live events that Redis did not take; readers see the gap")

# Bells
BELLS = _counter("bells", "Doorbell jobs by function and outcome", "function", "outcome")
BELL_SECONDS = _histogram("bell_seconds", "Time from the ring of a bell to its handling")

# Relay
RELAY_PUBLISHED = _counter("relay_published", "Outbox rows published", "kind")
RELAY_REFUSED = _counter("relay_refused", "Outbox rows that could not be published for what they hold", "kind")
RELAY_FAILURES = _counter("relay_failures", "Batches rolled back, to be published again", "dependency")
RELAY_BATCH_ROWS = _histogram("relay_batch_rows", "Outbox rows published together", buckets=_SIZES)
RELAY_LEADS = _gauge("relay_leads", "1 in the relay that publishes, 0 on standby")
OUTBOX_ROWS = _gauge("outbox_rows", "Outbox rows that wait, counted up to 100,000")
OUTBOX_OLDEST_SECONDS = _gauge("outbox_oldest_seconds", "Age of the oldest outbox row that waits")

# Retention
RETENTION_ROWS = _counter("retention_rows", "Rows deleted for their age; a run with its history is one", "table")
PARTITIONS_DROPPED = _counter("partitions_dropped", "Partitions dropped with all the runs in them")
RETENTION_SECONDS = _histogram("retention_seconds", "Time of one pass of the retention", buckets=_LONG)

# Telemetry
TRACE_SPANS = _counter("trace_spans", "Recorded spans: exported, failed, dropped by a full queue", "outcome")
