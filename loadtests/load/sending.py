"""Events at a constant rate, whatever becomes of them: an open loop.

Each is due at a moment that depends on nothing but its number. Nobody waits for an answer before the next is sent, and
its time counts from the moment at which it was due: a product that stands still for a second is measured as one that
kept everybody waiting who would have come in that second, not as one slow answer.
"""

import time
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import gevent
import msgspec
from gevent.pool import Pool
from geventhttpclient import HTTPClient
from geventhttpclient.response import HTTPConnectionClosed
from locust.env import Environment

from loadtests.load.ledger import Ledger
from loadtests.load.telling import tell
from loadtests.plan import Plan, Sent, due_at

MOST_IN_FLIGHT: Final = 500
# An event that is sent again has its own id, so that it is one event however often it arrives.
TRIES: Final = 2
NAME: Final = "/v1/hooks/{token}"
TEXT: Final = "an order of three things, to be sent before the week is over"


class _Answer(msgspec.Struct, frozen=True):
    event_id: str
    run_id: str | None


class _Outcome(msgspec.Struct):
    """What came of one event: the last answer, or what went wrong."""

    status: int = 0
    content: bytes = b""
    tries: int = 1
    told_back: int = 0
    error: str | None = None


class Sender:
    """Sends what the plan says, and writes down what became of it."""

    def __init__(self, plan: Plan, ledger: Ledger, environment: Environment) -> None:
        parts = urlsplit(plan.url)
        self._plan, self._ledger, self._environment = plan, ledger, environment
        self._client = HTTPClient(
            parts.hostname or "127.0.0.1",
            parts.port or 80,
            concurrency=MOST_IN_FLIGHT,
            connection_timeout=plan.answer_seconds,
            network_timeout=plan.answer_seconds,
        )

    def send_all(self) -> None:
        """Send every event when it is due, and wait for the last answer."""
        pool = Pool(MOST_IN_FLIGHT)
        for number in range(self._plan.count):
            early = due_at(number, self._plan.rate) - self._ledger.elapsed()
            if early > 0:
                gevent.sleep(early)
            # Waits where too many are in flight: those after it are then sent late, and written down as late.
            pool.spawn(self._send, number)
        pool.join()
        self._client.close()

    def _send(self, number: int) -> None:
        workflow = number % len(self._plan.hooks)
        due, sent = due_at(number, self._plan.rate), self._ledger.elapsed()
        outcome = self._post(workflow, number)
        record = Sent(
            number=number,
            workflow=workflow,
            due=due,
            sent=sent,
            answered=self._ledger.elapsed(),
            status=outcome.status,
            tries=outcome.tries,
            told_back=outcome.told_back,
            error=outcome.error,
        )
        if outcome.error is None:
            record = _read_answer(record, outcome.content)
        self._ledger.record(record)
        milliseconds = (record.answered - due) * 1000
        tell(self._environment, "POST", NAME, milliseconds, size=len(outcome.content), error=record.error or "")

    def _post(self, workflow: int, number: int) -> "_Outcome":
        """Send an event as its sender would: again over a new connection, and again when told to come back."""
        body = msgspec.json.encode({"n": number, "text": TEXT, "items": list(range(10))})
        headers = {"content-type": "application/json", "webhook-id": f"{self._ledger.seen.began_at:.6f}-{number}"}
        outcome = _Outcome()
        deadline = time.perf_counter() + self._plan.answer_seconds
        while True:
            try:
                response = self._client.request("POST", self._plan.hooks[workflow], body, headers)
                outcome.status, outcome.content = response.status_code, bytes(response.read())
            except (HTTPConnectionClosed, ConnectionResetError, BrokenPipeError) as closed:
                # The server may close a kept connection at the moment of its use.
                if outcome.tries == TRIES:
                    outcome.error = f"{type(closed).__name__}: {closed}"
                    return outcome
                outcome.tries += 1
                continue
            except Exception as failed:
                outcome.error = f"{type(failed).__name__}: {failed}"
                return outcome
            wait = find_patience(response)
            if wait is None or time.perf_counter() + wait > deadline:
                return outcome
            outcome.told_back += 1
            gevent.sleep(wait)


def find_patience(response: Any) -> float | None:
    """How many seconds an answer asks to wait before the next try; None where it asks for nothing."""
    wait = response.get("retry-after") if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE else None
    return float(wait) if isinstance(wait, str) and wait.isascii() and wait.isdigit() else None


def _read_answer(record: Sent, content: bytes) -> Sent:
    """The record with what the answer promises, or with what is wrong about it."""
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except msgspec.DecodeError:
        shown = content[:200].decode(errors="replace")
        return msgspec.structs.replace(record, error=f"{record.status} {shown}")
    record = msgspec.structs.replace(record, event_id=answer.event_id, run_id=answer.run_id)
    return record if record.is_accepted else msgspec.structs.replace(record, error=f"answered {record.status}")


def read(ledger: Ledger, user: object, path: str, name: str, check: str) -> None:
    """Read something of the API as a user of Locust; the answer must hold the member `check`."""
    began = time.perf_counter()
    with ledger.waiting():
        with user.client.get(path, name=name, catch_response=True) as response:  # type: ignore[attr-defined]  # FastHttpUser
            error = None
            if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and "retry-after" in response.headers:
                # People press the key again.
                ledger.seen.told_back += 1
                response.success()
            elif response.status_code != HTTPStatus.OK:
                error = f"GET {name} answered {response.status_code}"
            elif check not in msgspec.json.decode(response.content or b"{}"):
                error = f"GET {name} answered without {check}"
            if error:
                response.failure(error)
        ledger.record_read((time.perf_counter() - began) * 1000, error)
