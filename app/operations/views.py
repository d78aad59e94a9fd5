"""How operations are shown: what Redis tells of processes, beside the workers that PostgreSQL knows."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from app.operations.schemas import ProcessView, WaitingView
from engine.infra.metrics_exchange import ProcessFigures
from engine.store.operations import LivingWorker, Waiting

SILENT_SECONDS: Final = 5.0
_ROLES: Final = ("api", "relay", "worker")

_Place = tuple[str, str, int]


def show_processes(figures: Iterable[ProcessFigures], workers: Iterable[LivingWorker]) -> list[ProcessView]:
    """Every process that either of them tells of, once: by role, then by place."""
    alive: dict[_Place, LivingWorker] = {("worker", worker.host, worker.pid): worker for worker in workers}
    told: dict[_Place, ProcessFigures] = {(each.role, each.host, each.pid): each for each in figures}
    views = [_show(place, each.values, alive.get(place)) for place, each in told.items()]
    views += [_show(place, {}, worker) for place, worker in alive.items() if place not in told]
    return sorted(views, key=lambda view: (_rank(view.role), view.host, view.pid))


def show_waiting(waiting: Waiting) -> WaitingView:
    """What waits as the API shows it; a clock that was set back makes nothing wait for less than nothing."""
    oldest = waiting.oldest_seconds
    return WaitingView(count=waiting.count, oldest_seconds=None if oldest is None else max(0.0, oldest))


def _show(place: _Place, values: Mapping[str, float], worker: LivingWorker | None) -> ProcessView:
    role, host, pid = place
    started = values.get("process_start_time_seconds")
    is_worker, leads = role == "worker", values.get("relay_leads")
    return ProcessView(
        role=role,
        host=host,
        pid=pid,
        status="silent" if worker is not None and worker.silence >= SILENT_SECONDS else "ok",
        started_at=_begin(started, worker),
        heartbeat_at=None if worker is None else worker.heartbeat_at,
        memory_bytes=_whole(values.get("process_resident_memory_bytes")),
        open_files=_whole(values.get("process_open_fds")),
        runs=_whole(values.get("runs_active")) if is_worker else None,
        steps_in_flight=None if worker is None else worker.steps_in_flight,
        streams=_whole(values.get("stream_clients")) if role == "api" else None,
        leads=leads == 1 if role == "relay" and leads is not None else None,
    )


def _begin(started: float | None, worker: LivingWorker | None) -> datetime | None:
    if started is not None:
        return datetime.fromtimestamp(started, UTC)
    return None if worker is None else worker.started_at


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _rank(role: str) -> int:
    return _ROLES.index(role) if role in _ROLES else len(_ROLES)
