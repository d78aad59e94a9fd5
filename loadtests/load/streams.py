"""Live streams (Server-Sent Events), held open and checked for what they leave out."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from geventhttpclient import HTTPClient
from locust.env import Environment

from loadtests.load.ledger import Ledger, note
from loadtests.load.telling import tell
from loadtests.plan import Plan

ENDS: Final = frozenset({"run.succeeded", "run.failed", "run.cancelled", "run.timed_out"})
# Streams say that they are alive every 15 s.
SILENT_SECONDS: Final = 60.0


class Frame(msgspec.Struct, frozen=True):
    """One server-sent event; `id` and `event` are empty where it had none."""

    id: str
    event: str
    data: Any


class Streams:
    """Opens streams and checks what they show."""

    def __init__(self, plan: Plan, ledger: Ledger, environment: Environment) -> None:
        self._plan, self._ledger, self._environment = plan, ledger, environment

    def follow_workspace(self) -> None:
        """Show the end of every run, until the load test is over. A break is an error, and is followed by a return."""
        shown: set[str] | None = None
        last_id = ""

        def begin() -> None:
            nonlocal shown
            if shown is None:
                shown = self._ledger.open_stream()

        while True:
            try:
                for frame in self._open("/v1/stream", last_id, begin):
                    last_id = frame.id or last_id
                    if frame.event == "reset":
                        self._ledger.seen.resets += 1
                    elif frame.event in ENDS and shown is not None:
                        self._show(frame, shown)
                note(self._ledger.seen.stream_errors, "/v1/stream ended")
            except Exception as error:
                note(self._ledger.seen.stream_errors, f"/v1/stream: {type(error).__name__}: {error}")
                if shown is None:
                    return

    def follow_run(self, run_id: str) -> None:
        """Read a run's stream to its end: every seq from 1 on, and an end at last."""
        seq, ended, began = 0, False, time.perf_counter()
        try:
            with self._ledger.waiting():
                for frame in self._open(f"/v1/runs/{run_id}/stream", "", lambda: None):
                    if not frame.id:
                        continue
                    if frame.data["seq"] != seq + 1:
                        note(self._ledger.seen.gaps, f"{run_id}: {frame.data['seq']} after {seq}")
                    seq, ended = frame.data["seq"], frame.event in ENDS
                if ended:
                    self._ledger.seen.run_streams_ended += 1
                else:
                    note(self._ledger.seen.gaps, f"{run_id}: no end after {seq}")
            tell(self._environment, "SSE", "/v1/runs/{id}/stream, whole", (time.perf_counter() - began) * 1000)
        except Exception as error:
            note(self._ledger.seen.stream_errors, f"{run_id}: {type(error).__name__}: {error}")

    def _show(self, frame: Frame, shown: set[str]) -> None:
        run_id = frame.data["run_id"]
        if run_id in shown:
            return
        shown.add(run_id)
        late = (time.time() - datetime.fromisoformat(frame.data["at"]).timestamp()) * 1000
        self._ledger.seen.end_to_stream_ms.append(late)
        tell(self._environment, "SSE", "/v1/stream, end to here", late)

    def _open(self, path: str, last_id: str, begin: Callable[[], None]) -> Iterator[Frame]:
        """The frames of a stream, until it ends; `begin` is called when it is open."""
        parts = urlsplit(self._plan.url)
        client = HTTPClient(parts.hostname or "127.0.0.1", parts.port or 80, network_timeout=SILENT_SECONDS)
        headers = {"authorization": f"Bearer {self._plan.token}", "accept": "text/event-stream"}
        if last_id:
            headers["last-event-id"] = last_id
        try:
            response = client.request("GET", path, headers=headers)
            if response.status_code != 200:  # noqa: PLR2004 - HTTP
                raise OSError(f"answered {response.status_code}: {response.read()[:200]!r}")
            yield from _read_frames(lambda: response.readline(b"\n"), begin)
        finally:
            client.close()


def _read_frames(read_line: Callable[[], bytes], begin: Callable[[], None]) -> Iterator[Frame]:
    fields: dict[str, str] = {}
    while line := read_line():
        # The first line comes when the stream stands at the end of what there is.
        begin()
        text = line.decode().rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields or "id" in fields:
            data = msgspec.json.decode(fields.get("data", "null"))
            yield Frame(fields.get("id", ""), fields.get("event", ""), data)
        fields = {}
