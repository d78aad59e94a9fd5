"""A signed-in client of the API, with the calls that many tests make."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import httpx
from msgspec import Struct

from tests.product import PATIENCE_SECONDS

ENDED = frozenset({"succeeded", "failed", "cancelled", "timed_out"})
PASSWORD = "correct horse battery staple"
OWNER = "owner@example.com"

Document = dict[str, Any]
Deliver = Callable[..., httpx.Response]


class Frame(Struct, frozen=True, kw_only=True):
    """One server-sent event; `id` is None where it had none of its own."""

    event: str
    data: Any
    id: str | None = None


class Published(Struct, frozen=True, kw_only=True):
    """A published workflow, and the address of its webhook trigger."""

    id: str
    hook: str
    trigger_id: str


class Client:
    """The API as one user sees it."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=PATIENCE_SECONDS)

    def close(self) -> None:
        """Close its connections."""
        self.http.close()

    def sign_in(self, email: str = OWNER, password: str = PASSWORD) -> "Client":
        """Sign in, and set the product up first where nobody has."""
        answer = self.http.get("/v1/setup")
        if answer.json()["needed"]:
            person = {"email": email, "password": password, "name": "Olga", "workspace": "Main"}
            answer = self.http.post("/v1/setup", json=person)
        else:
            answer = self.http.post("/v1/auth/login", json={"email": email, "password": password})
        assert answer.is_success, answer.text
        self.http.headers["authorization"] = "Bearer " + answer.json()["access_token"]
        return self

    def me(self) -> Document:
        """Who is signed in."""
        return self.read("/v1/auth/me")

    def read(self, path: str, **query: Any) -> Document:
        """A GET that succeeds."""
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        document: Document = answer.json()
        return document

    def create_workflow(self, definition: Document, name: str = "Orders") -> Document:
        """A draft."""
        answer = self.http.post("/v1/workflows", json={"name": name, "definition": definition})
        assert answer.status_code == 201, answer.text
        document: Document = answer.json()
        return document

    def publish(self, definition: Document, *, name: str = "Orders", config: Document | None = None) -> Published:
        """A published workflow with a webhook trigger."""
        workflow = self.create_workflow(definition, name)
        assert workflow["problems"] == []
        answer = self.http.post(f"/v1/workflows/{workflow['id']}/publish")
        assert answer.status_code == 201, answer.text
        trigger = self.add_trigger(workflow["id"], config or {})
        return Published(id=workflow["id"], hook=trigger["url"], trigger_id=trigger["id"])

    def add_trigger(self, workflow_id: str, config: Document, **more: Any) -> Document:
        """A webhook trigger."""
        body = {"type": "webhook", "config": config, **more}
        answer = self.http.post(f"/v1/workflows/{workflow_id}/triggers", json=body)
        assert answer.status_code == 201, answer.text
        document: Document = answer.json()
        return document

    def start(self, workflow_id: str, body: Document | None = None) -> str:
        """The id of a run that was accepted."""
        answer = self.http.post(f"/v1/workflows/{workflow_id}/runs", json=body or {})
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["run_id"]
        return run_id

    def run(self, run_id: str) -> Document:
        """A run as it stands."""
        return self.read(f"/v1/runs/{run_id}")

    def wait_for_status(self, run_id: str, *statuses: str, seconds: float = PATIENCE_SECONDS) -> Document:
        """The run once it has one of the statuses."""
        deadline = time.monotonic() + seconds
        while (run := self.run(run_id))["status"] not in statuses:
            assert run["status"] not in ENDED, f"the run ended: {json.dumps(run, indent=1)}"
            assert time.monotonic() < deadline, f"not {statuses} in {seconds} s: {json.dumps(run, indent=1)}"
            time.sleep(0.03)
        return run

    def wait_for_end(self, run_id: str, *, seconds: float = PATIENCE_SECONDS) -> Document:
        """The run once it has ended, in whatever way."""
        return self.wait_for_status(run_id, *ENDED, seconds=seconds)

    def finish(self, workflow_id: str, body: Document | None = None, *, seconds: float = PATIENCE_SECONDS) -> Document:
        """Start a run and wait for its end."""
        return self.wait_for_end(self.start(workflow_id, body), seconds=seconds)

    def events(self, run_id: str) -> list[Document]:
        """The run's whole journal."""
        page = self.read(f"/v1/runs/{run_id}/events", limit=1000)
        assert page["next_cursor"] is None
        items: list[Document] = page["items"]
        return items

    @contextmanager
    def stream(self, path: str, last_event_id: str | None = None) -> Iterator[Iterator[Frame]]:
        """The frames of a stream, as they come; comments and the retry time are left out."""
        headers = {} if last_event_id is None else {"last-event-id": last_event_id}
        with self.http.stream("GET", path, headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            # Something comes at once; from here on the stream is open.
            first = next(lines)
            yield _read_frames(chain([first], lines))


def _read_frames(lines: Iterator[str]) -> Iterator[Frame]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        if "data" in fields:
            yield Frame(event=fields["event"], data=json.loads(fields["data"]), id=fields.get("id"))
        fields = {}


def step_of(run: Document, step_id: str) -> Document:
    """One step of a run."""
    found: Document = next(step for step in run["steps"] if step["id"] == step_id)
    return found


def statuses_of(run: Document) -> dict[str, str]:
    """The status of every step."""
    return {step["id"]: step["status"] for step in run["steps"]}


def assert_problem(answer: httpx.Response, status: int, code: str) -> Document:
    """The problem document (RFC 9457) that an answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem: Document = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert all(isinstance(problem[member], str) and problem[member] for member in ("type", "title", "detail"))
    return problem
