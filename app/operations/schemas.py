"""Bodies of the operations call."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct


class ProcessView(Struct, frozen=True, kw_only=True):
    """A process of the product. Figures are null where it has not told them, which it does every five seconds."""

    role: Annotated[str, Meta(description="`api`, `relay` or `worker`")]
    host: str
    pid: int
    status: Annotated[
        Literal["ok", "silent"], Meta(description="`silent`: a worker without a heartbeat for five seconds or more")
    ]
    started_at: datetime | None
    heartbeat_at: Annotated[datetime | None, Meta(description="of workers")]
    memory_bytes: int | None
    open_files: int | None
    runs: Annotated[int | None, Meta(description="of workers: runs in memory")]
    steps_in_flight: Annotated[int | None, Meta(description="of workers: attempts under way")]
    streams: Annotated[int | None, Meta(description="of APIs: open live streams")]
    leads: Annotated[bool | None, Meta(description="of relays: publishes, or stands by")]


class WaitingView(Struct, frozen=True, kw_only=True):
    """How many wait, counted up to 100,000, and since when the first of them; null where none does."""

    count: int
    oldest_seconds: float | None


class Operations(Struct, frozen=True, kw_only=True):
    """The installation at the moment `at`, over all workspaces.

    `is_complete`: whether Redis gave the figures of all processes; without it, workers and this API are told of.
    `queue`: runs that wait for nothing but a worker. `outbox`: rows that wait for the relay. `due`: suspended runs
    whose time has come.
    """

    at: datetime
    processes: list[ProcessView]
    is_complete: bool
    queue: WaitingView
    outbox: WaitingView
    due: WaitingView
