"""Something that answers as FlowForge does, and does wrong what a test asks for."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from msgspec import Struct

Document = dict[str, Any]
ENDED = "succeeded"


class Delivery(Struct, frozen=True, kw_only=True):
    """A request to a hook: the event's number, and the id that its sender gave it."""

    number: int
    webhook_id: str


class StandIn:
    """One product. Tests replace `take` (what a hook answers), `list_runs`, `list_receipts`, `drift` and `stream`."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.runs: dict[int, Document] = {}
        self.workflow_ids: list[str] = []
        self.deleted: list[str] = []
        self.changed = threading.Condition()
        self.is_over = threading.Event()
        self.take: Callable[[Delivery], tuple[int, bytes] | None] = self.accept
        self.list_runs: Callable[[], list[Document]] = lambda: list(self.runs.values())
        self.list_receipts: Callable[[], list[Document]] = self.make_receipts
        self.drift = 0
        # Headers of the hook's answers beside its length, by status.
        self.headers: dict[int, dict[str, str]] = {}
        self.stream: Callable[[str], Iterator[bytes]] = lambda _path: iter(())
        self.port = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def accept(self, delivery: Delivery) -> tuple[int, bytes]:
        """A run for the event, that has ended at once; the same one for a repeat."""
        with self.changed:
            run = self.runs.get(delivery.number)
            status = 202 if run is None else 200
            if run is None:
                run = self.runs[delivery.number] = self._make_run()
            self.changed.notify_all()
        return status, json.dumps({"event_id": str(uuid.UUID(run["id"])), "run_id": run["id"]}).encode()

    def make_receipts(self) -> list[Document]:
        """A receipt for every run, under the id that the answer gave the event."""
        ids = [run["id"] for run in self.runs.values()]
        return [{"id": one, "trigger_id": "t", "outcome": "started", "run_id": one} for one in ids]

    def ends(self, left_out: Callable[[int], bool] = lambda _: False) -> Iterator[bytes]:
        """The workspace's stream: an end of every run, until the stand-in goes."""
        yield b"id: 0-0\n\n"
        shown = 0
        while not self.is_over.is_set():
            with self.changed:
                self.changed.wait(timeout=0.2)
                fresh = list(self.runs.items())[shown:]
            for number, run in fresh:
                shown += 1
                if not left_out(number):
                    yield frame(f"1-{shown}", "run.succeeded", {"run_id": run["id"], "at": run["finished_at"]})
            yield b": alive\n\n"

    @contextmanager
    def running(self) -> Iterator["StandIn"]:
        """Serve until the block ends."""
        handler = type("Bound", (Handler,), {"stand_in": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self.is_over.set()
                with self.changed:
                    self.changed.notify_all()
                server.shutdown()
                thread.join()

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        """Status and document for everything but hooks and streams."""
        parts = path.partition("?")[0].strip("/").split("/")[1:]
        match method, parts:
            case "POST", ["workflows"]:
                self.workflow_ids.append(str(uuid.uuid4()))
                return 201, {"id": self.workflow_ids[-1]}
            case "POST", ["workflows", _, "triggers"]:
                return 201, {"id": "t", "url": f"{self.url}/v1/hooks/token"}
            case "DELETE", ["workflows", workflow_id]:
                self.deleted.append(workflow_id)
                return 204, None
            case "GET", ["runs"]:
                ended = "status=" not in path
                return 200, {"items": self.list_runs() if ended else [], "next_cursor": None}
            case "GET", ["events"]:
                return 200, {"items": self.list_receipts(), "next_cursor": None}
            case "GET", ["stats"]:
                return 200, {"ingest": {"accepted": len(self.runs), "drift": self.drift}}
            case _:
                return 200, {}

    def _make_run(self) -> Document:
        now = datetime.now(UTC).isoformat()
        return {
            "id": str(uuid.uuid4()),
            "workflow_id": self.workflow_ids[0] if self.workflow_ids else "w",
            "status": ENDED,
            "created_at": now,
            "started_at": now,
            "finished_at": now,
        }


class Handler(BaseHTTPRequestHandler):
    """One connection to a stand-in."""

    protocol_version = "HTTP/1.1"
    stand_in: ClassVar[StandIn]

    def do_GET(self) -> None:
        if self.path.endswith("/stream"):
            self._stream()
        else:
            self._plain("GET")

    def do_DELETE(self) -> None:
        self._plain("DELETE")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self.path.startswith("/v1/hooks/"):
            self._plain("POST")
            return
        delivery = Delivery(number=json.loads(body)["n"], webhook_id=self.headers["webhook-id"])
        self.stand_in.deliveries.append(delivery)
        answer = self.stand_in.take(delivery)
        if answer is None:
            self.close_connection = True
            return
        self._send(*answer, self.stand_in.headers.get(answer[0]))

    def log_message(self, *_: Any) -> None:
        pass

    def _plain(self, method: str) -> None:
        status, document = self.stand_in.answer(method, self.path)
        self._send(status, b"" if document is None else json.dumps(document).encode())

    def _send(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for chunk in self.stand_in.stream(self.path):
                self.wfile.write(chunk)
        except OSError:
            # Whoever watched has gone.
            return


def frame(event_id: str, event: str, data: Document) -> bytes:
    """One server-sent event."""
    return f"id: {event_id}\nevent: {event}\ndata: {json.dumps(data)}\n\n".encode()
