"""A run's events as they happen, over connections that may break."""

import http.client
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from cli.client.api import Api
from cli.client.errors import ClientError
from cli.client.wire import Disconnected

ENDS: Final = frozenset({"run.succeeded", "run.failed", "run.cancelled", "run.timed_out"})
PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.5
_LONGEST_LINE: Final = 64 * 1024 * 1024

RunEvent = dict[str, Any]


class _Over(Struct):
    """The stream has ended, with an error where it could not go on."""

    error: BaseException | None = None


def follow_run(api: Api, run_id: str, after: int = 0) -> Iterator[RunEvent]:
    """Every event of the run with a seq above `after`, up to its end; hints of starts (without a seq) in between.

    Raises ClientError where the product stays away for a minute.
    """
    seq, lost_at = after, None
    while True:
        try:
            for event in _read_once(api, run_id, seq):
                lost_at = None
                seq = event["seq"] or seq
                yield event
                if event["type"] in ENDS:
                    return
            run = api.get(f"/v1/runs/{run_id}")
            if run["finished_at"] is not None and run["last_seq"] <= seq:
                return
        except (Disconnected, OSError, http.client.HTTPException):
            pass
        except ClientError:
            # Nobody listens there: at first that is an error, later a restart.
            if seq == after or (lost_at and time.monotonic() - lost_at > PATIENCE_SECONDS):
                raise
        lost_at = lost_at or time.monotonic()
        time.sleep(_PAUSE_SECONDS)


def follow_in_background(api: Api, run_id: str, after: int = 0) -> Iterator[RunEvent | None]:
    """As `follow_run`, with None whenever a while passes without an event, so that clocks on a screen can move."""
    events: queue.Queue[RunEvent | _Over] = queue.Queue()

    def read() -> None:
        error: BaseException | None = None
        try:
            for event in follow_run(api, run_id, after):
                events.put(event)
        except BaseException as raised:
            error = raised
        events.put(_Over(error))

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            event = events.get(timeout=0.2)
        except queue.Empty:
            yield None
            continue
        if isinstance(event, _Over):
            if event.error is not None:
                raise event.error
            return
        yield event


def _read_once(api: Api, run_id: str, after: int) -> Iterator[RunEvent]:
    """The events of one connection, until it ends."""
    response = api.open_stream(f"/v1/runs/{run_id}/stream", str(after) if after else None)
    data: list[bytes] = []
    try:
        while line := response.readline(_LONGEST_LINE):
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif line == b"\n" and data:
                event = msgspec.json.decode(b"".join(data))
                # A hint of an attempt's start stands in no journal and has no seq.
                yield {"seq": None, **event["event"]} if "event" in event else event
                data = []
    finally:
        response.close()
