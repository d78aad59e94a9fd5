"""What came of everything, written down as it comes."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import Event

from loadtests.plan import SEEN_FILE, SENT_FILE, Plan, Seen, Sent

LOOK_SECONDS = 0.1
# A stream that is not open by then is an error, and the events are sent nevertheless.
OPEN_SECONDS = 30.0
# Of errors of one kind, so many are kept whole; that there were any is enough to fail.
MOST_ERRORS = 1000


class Ledger:
    """The one place where the greenlets of a load test meet."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        folder = Path(plan.folder)
        self._sent = (folder / SENT_FILE).open("wb")
        self._seen_file = folder / SEEN_FILE
        self.seen = Seen()
        self.began = 0.0
        # The latest runs, for readers and watchers; and all of them, where streams must show every end.
        self.latest: deque[str] = deque(maxlen=200)
        self._accepted: set[str] = set()
        self._shown: list[set[str]] = []
        self._streams_open = 0
        self._waiting = 0
        self.has_begun = Event()
        self.is_over = False
        self.is_closed = False

    def begin(self) -> None:
        """The first event is due now, as soon as the streams are open."""
        deadline = time.perf_counter() + OPEN_SECONDS
        while self._streams_open < self._plan.workspace_streams and time.perf_counter() < deadline:
            gevent.sleep(LOOK_SECONDS)
        self.seen.began_at = time.time()
        self.began = time.perf_counter()
        self.has_begun.set()

    def elapsed(self) -> float:
        """Seconds since the first event was due."""
        return time.perf_counter() - self.began

    def record(self, sent: Sent) -> None:
        """Write down what became of an event."""
        self._sent.write(msgspec.json.encode(sent) + b"\n")
        if sent.is_accepted and sent.run_id is not None:
            self.latest.append(sent.run_id)
            if self._plan.workspace_streams:
                self._accepted.add(sent.run_id)

    def record_read(self, milliseconds: float, error: str | None) -> None:
        """Write down what became of a read."""
        self.seen.read_ms.append(milliseconds)
        if error:
            note(self.seen.read_errors, error)

    def open_stream(self) -> set[str]:
        """A stream of the workspace is open; where it notes the runs whose end it has shown."""
        shown: set[str] = set()
        self._shown.append(shown)
        self._streams_open += 1
        return shown

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Somebody reads, or follows a run, for the time of the block: the end waits for that."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def finish(self, crashes: Mapping[int, Mapping[str, Any]]) -> None:
        """Everything is sent and answered: wait until the streams have shown it, and close the books.

        `crashes`: what Locust caught of its users.
        """
        self.is_over = True
        deadline = time.perf_counter() + self._plan.drain_seconds
        while (self._waiting or self._is_left_out()) and time.perf_counter() < deadline:
            gevent.sleep(LOOK_SECONDS)
        if self._waiting:
            note(self.seen.stream_errors, f"{self._waiting} reads and streams of runs did not come to their end")
        for _ in range(self._plan.workspace_streams - self._streams_open):
            note(self.seen.stream_errors, "a stream of the workspace was never open")
        for crash in crashes.values():
            note(self.seen.read_errors, f"a user of Locust failed: {crash['msg']}")
        left_out = {number: sorted(self._accepted - shown) for number, shown in enumerate(self._shown)}
        self.seen.left_out = {number: runs for number, runs in left_out.items() if runs}
        self._sent.close()
        self._seen_file.write_bytes(msgspec.json.encode(self.seen))
        self.is_closed = True

    def _is_left_out(self) -> bool:
        return any(len(shown & self._accepted) < len(self._accepted) for shown in self._shown)


def note(errors: list[str], error: str) -> None:
    """Keep an error, of which there may be many."""
    if len(errors) < MOST_ERRORS:
        errors.append(error)
