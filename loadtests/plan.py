"""What the two processes of a load test tell each other: what to send, and what came of it.

Both import this, and only one of them is Locust's: nothing here knows of either.
"""

import ipaddress
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

# The environment variable by which Locust's process finds its plan.
PLAN: Final = "FLOWFORGE_LOADTEST_PLAN"
SENT_FILE: Final = "sent.jsonl"
SEEN_FILE: Final = "seen.json"


class Plan(Struct, frozen=True, kw_only=True):
    """What Locust is to do. `hooks`: paths, taken in turn; `token`: for reading and watching."""

    url: str
    token: str
    folder: str
    hooks: list[str]
    workflow_ids: list[str]
    rate: float
    count: int
    readers: int = 0
    workspace_streams: int = 0
    run_streams: int = 0
    # How long answers and streams are waited for, once everything is sent.
    drain_seconds: float = 120.0
    answer_seconds: float = 60.0


class Sent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event, as one line of `sent.jsonl`. Times: seconds since the first was due, on the sender's clock.

    `status` is 0 where there was no answer. `tries` is above 1 where a kept connection had been closed, `told_back`
    above 0 where the product asked to come back later (503 with Retry-After): the event was then sent again.
    """

    number: int
    workflow: int
    due: float
    sent: float
    answered: float
    status: int = 0
    event_id: str | None = None
    run_id: str | None = None
    tries: int = 1
    told_back: int = 0
    error: str | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether a run was promised: also by the answer to a repeat of what had arrived before."""
        may_repeat = self.tries > 1 or self.told_back > 0
        return self.run_id is not None and (
            self.status == HTTPStatus.ACCEPTED or (self.status == HTTPStatus.OK and may_repeat)
        )


class Seen(Struct, kw_only=True):
    """What readers and streams have seen, as `seen.json`. Times in ms."""

    # The wall clock's seconds when the first event was due.
    began_at: float = 0.0
    read_ms: list[float] = []
    read_errors: list[str] = []
    # Reads that were answered by 503 with Retry-After.
    told_back: int = 0
    # By the number of the workspace's stream: the runs whose end it did not show.
    left_out: dict[int, list[str]] = {}
    resets: int = 0
    # From the moment that the end bears to the moment at which a stream showed it.
    end_to_stream_ms: list[float] = []
    run_streams_ended: int = 0
    gaps: list[str] = []
    stream_errors: list[str] = []


def due_at(number: int, rate: float) -> float:
    """When event `number` (from 0) is due, in seconds since the first: whatever became of those before it."""
    return number / rate


def read_plan(path: Path) -> Plan:
    """The plan in a file; raises ValueError where it would send to another machine."""
    plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    require_loopback(plan.url)
    return plan


def require_loopback(url: str) -> None:
    """Raise ValueError where an address is not of this machine: load is for one's own product alone."""
    host = urlsplit(url).hostname or ""
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    if not is_here:
        raise ValueError(f"{url} is not on this machine. Load tests go to 127.0.0.1 alone.")


def read_sent(folder: Path) -> list[Sent]:
    """Everything that was sent, in the order of the answers."""
    return [msgspec.json.decode(line, type=Sent) for line in (folder / SENT_FILE).read_bytes().splitlines()]


def read_seen(folder: Path) -> Seen:
    """What readers and streams have seen."""
    return msgspec.json.decode((folder / SEEN_FILE).read_bytes(), type=Seen)
