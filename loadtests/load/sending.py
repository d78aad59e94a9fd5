"""Events at a constant rate, whatever becomes of them: an open loop.

Each is due at a moment that depends on nothing but its number. Nobody waits for an answer before the next is sent, and
its time counts from the moment at which it was due: a product that stands still for a second is measured as one that
kept everybody waiting who would have come in that second, not as one slow answer.
"""

import time
from typing import Final
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
        status, content, tries, error = self._post(workflow, number)
        answered = self._ledger.elapsed()
        event_id, run_id = None, None
        if error is None:
            try:
                answer = msgspec.json.decode(content, type=_Answer)
                event_id, run_id = answer.event_id, answer.run_id
            except msgspec.DecodeError:
                error = f"{status} {content[:200].decode(errors='replace')}"
        record = Sent(
            number=number,
            workflow=workflow,
            due=due,
            sent=sent,
            answered=answered,
            status=status,
            event_id=event_id,
            run_id=run_id,
            tries=tries,
            error=error,
        )
        if error is None and not record.is_accepted:
            record = msgspec.structs.replace(record, error=f"answered {status}")
        self._ledger.record(record)
        milliseconds = (answered - due) * 1000
        tell(self._environment, "POST", NAME, milliseconds, size=len(content), error=record.error or "")

    def _post(self, workflow: int, number: int) -> tuple[int, bytes, int, str | None]:
        """Status, body, tries, and what went wrong."""
        body = msgspec.json.encode({"n": number, "text": TEXT, "items": list(range(10))})
        headers = {"content-type": "application/json", "webhook-id": f"{self._ledger.seen.began_at:.6f}-{number}"}
        for tries in range(1, TRIES + 1):
            try:
                response = self._client.request("POST", self._plan.hooks[workflow], body, headers)
                return response.status_code, bytes(response.read()), tries, None
            except (HTTPConnectionClosed, ConnectionResetError, BrokenPipeError) as closed:
                # The server may close a kept connection at the moment of its use: any sender sends it again.
                error = closed
            except Exception as failed:
                return 0, b"", tries, f"{type(failed).__name__}: {failed}"
        return 0, b"", TRIES, f"{type(error).__name__}: {error}"


def read(ledger: Ledger, user: object, path: str, name: str, check: str) -> None:
    """Read something of the API as a user of Locust; the answer must hold the member `check`."""
    began = time.perf_counter()
    with ledger.waiting():
        with user.client.get(path, name=name, catch_response=True) as response:  # type: ignore[attr-defined]  # FastHttpUser
            error = None
            if response.status_code != 200:  # noqa: PLR2004 - HTTP
                error = f"GET {name} answered {response.status_code}"
            elif check not in msgspec.json.decode(response.content or b"{}"):
                error = f"GET {name} answered without {check}"
            if error:
                response.failure(error)
        ledger.record_read((time.perf_counter() - began) * 1000, error)
