"""What the demo does with its workflows: starts them as their callers would, and plays the people in them."""

import uuid
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from cli.client.api import Api
from cli.client.errors import ClientError
from cli.client.runs import show_run
from cli.client.wire import Disconnected, Wire
from cli.demo.loading import Loaded
from cli.demo.telling import title

REFUSED_TARGET: Final = "egress_blocked"
_PATIENCE_SECONDS: Final = 2
_ACCEPTED: Final = (200, 202)
_CUSTOMERS: Final = (
    {"name": "Ada", "email": "ada@example.com", "language": "en"},
    {"name": "Emmy", "email": "emmy@example.com", "language": "de"},
    {"name": "Grace", "email": "grace@example.com", "language": "en"},
)


class Shown(Struct, frozen=True, kw_only=True):
    """A run of the tour, as it ended."""

    workflow: str
    run: dict[str, Any]


class _Stop(Struct, frozen=True, kw_only=True):
    """One run: of which workflow, what there is to see, how it is started, and what people do meanwhile."""

    workflow: str
    text: str
    start: Callable[[], str]
    answer: Callable[[dict[str, Any]], None] | None = None


class Tour:
    """Runs every workflow once, the approval twice."""

    def __init__(self, api: Api, people: Api, loaded: dict[str, Loaded]) -> None:
        """`people` decides and signals while `api` watches: a connection serves one at a time."""
        self._api, self._people, self._loaded = api, people, loaded

    def run(self) -> list[Shown]:
        """Everything, one after the other; not beyond a run whose target was refused, as all others would be."""
        stops = self._stops()
        shown: list[Shown] = []
        for number, stop in enumerate(stops, 1):
            title(f"{number}/{len(stops)}  {stop.text}")
            run = show_run(self._api, stop.start(), answer=stop.answer)
            shown.append(Shown(workflow=stop.workflow, run=run))
            if is_refused(run):
                break
        return shown

    def _stops(self) -> list[_Stop]:
        expense = {"amount": 180, "by": "ada@example.com", "what": "train tickets"}
        incident = {"title": "The shop is slow", "patience": _PATIENCE_SECONDS}
        return [
            _Stop(
                workflow="order-processing",
                text="An order comes by webhook. The payment service is busy twice, and is tried again.",
                start=self._deliver("order-processing", {"order_id": uuid.uuid4().hex[:8]}),
            ),
            _Stop(
                workflow="nightly-report",
                text="Ten regions are read side by side. One of them cannot be, and is named in the report.",
                start=self._start("nightly-report", {}),
            ),
            _Stop(
                workflow="expense-approval",
                text="An expense waits for a decision, and is approved.",
                start=self._start("expense-approval", expense),
                answer=self._approve,
            ),
            _Stop(
                workflow="expense-approval",
                text=f"Nobody decides on another one within {_PATIENCE_SECONDS} s: it goes to the accountants.",
                start=self._start("expense-approval", {**expense, "patience": _PATIENCE_SECONDS}),
            ),
            _Stop(
                workflow="customer-onboarding",
                text="Another workflow runs once for each of three customers.",
                start=self._start("customer-onboarding", {"customers": _CUSTOMERS}),
            ),
            _Stop(
                workflow="incident-escalation",
                text=f"An incident comes by webhook. Nobody takes it for {_PATIENCE_SECONDS} s, then the manager does.",
                start=self._deliver("incident-escalation", incident),
                answer=self._acknowledge,
            ),
        ]

    def _start(self, name: str, given: dict[str, Any]) -> Callable[[], str]:
        def start() -> str:
            run_id: str = self._api.post(f"/v1/workflows/{self._loaded[name].id}/runs", {"input": given})["run_id"]
            return run_id

        return start

    def _deliver(self, name: str, body: dict[str, Any]) -> Callable[[], str]:
        def deliver() -> str:
            hook = self._loaded[name].hook
            if hook is None:
                raise ClientError(f"The workflow {self._loaded[name].name!r} has no webhook.")
            headers = {"content-type": "application/json", "idempotency-key": uuid.uuid4().hex}
            # The path alone: the address that others use need not lead here.
            answer = _send(self._api.url, urlsplit(hook).path, headers, msgspec.json.encode(body))
            return str(answer["run_id"])

        return deliver

    def _approve(self, event: dict[str, Any]) -> None:
        """Decide as soon as a decision is asked for."""
        data = event.get("data", {})
        if event["type"] != "step.waiting" or data.get("reason") != "approval":
            return
        run_id = event["id"].partition(":")[0]
        for approval in self._people.pages("/v1/approvals", run_id=run_id, status="pending"):
            decision = {"decision": "approved", "comment": "Well spent."}
            self._people.post(f"/v1/approvals/{approval['id']}", decision)

    def _acknowledge(self, event: dict[str, Any]) -> None:
        """The manager takes the incident once it was escalated."""
        data = event.get("data", {})
        if event["type"] == "step.waiting" and data.get("step") == "taken":
            run_id = event["id"].partition(":")[0]
            self._people.post(f"/v1/runs/{run_id}/signal", {"name": "acknowledged", "payload": {"by": "manager"}})


def _send(url: str, path: str, headers: dict[str, str], body: bytes) -> Any:
    try:
        answer = Wire(url).send("POST", path, headers, body)
    except Disconnected as error:
        raise ClientError(f"{url} broke the connection off: {error}. Try again.") from None
    if answer.status not in _ACCEPTED:
        raise ClientError(f"The webhook answers {answer.status}: {answer.body.decode(errors='replace')[:200]}")
    return msgspec.json.decode(answer.body)


def is_refused(run: dict[str, Any]) -> bool:
    """Whether the product may not call the demo's target."""
    return any(step["error"] and step["error"]["code"] == REFUSED_TARGET for step in run["steps"])
