"""What the demo does with its workflows: starts them as their callers would, and plays the people in them."""

import time
import uuid
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import click
import msgspec
from msgspec import Struct

from cli.client.api import Api
from cli.client.errors import ClientError
from cli.client.runs import watch_run
from cli.client.telling import read_time, say_duration, say_error
from cli.client.wire import Disconnected, Wire
from cli.demo.loading import Loaded

REFUSED_TARGET: Final = "egress_refused"
_PATIENCE_SECONDS: Final = 2
_CUSTOMERS: Final = (
    {"name": "Ada", "email": "ada@example.com", "language": "en"},
    {"name": "Emmy", "email": "emmy@example.com", "language": "de"},
    {"name": "Grace", "email": "grace@example.com", "language": "en"},
)

Answer = Callable[[dict[str, Any]], None]


class Shown(Struct, frozen=True, kw_only=True):
    """A run of the tour, as it ended."""

    title: str
    run: dict[str, Any]


class Tour:
    """Runs every workflow once, the approval twice."""

    def __init__(self, api: Api, people: Api, loaded: dict[str, Loaded]) -> None:
        """`people` decides and signals while `api` watches: a connection serves one at a time."""
        self._api, self._people, self._loaded = api, people, loaded

    def run(self) -> list[Shown] | None:
        """Everything, one after the other; None where Ctrl-C came first."""
        order = {"order_id": uuid.uuid4().hex[:8]}
        expense = {"amount": 180, "by": "ada@example.com", "what": "train tickets"}
        incident = {"title": "The shop is slow", "patience": _PATIENCE_SECONDS}
        stops: list[tuple[str, Callable[[], str], Answer]] = [
            (
                "An order comes by webhook; its payment is tried three times",
                self._deliver("order-processing", order),
                _do_nothing,
            ),
            ("Ten regions are read side by side; one of them fails", self._start("nightly-report", {}), _do_nothing),
            (
                "An expense waits for a decision, and is approved",
                self._start("expense-approval", expense),
                self._approve,
            ),
            (
                f"Nobody decides within {_PATIENCE_SECONDS} s, and it is handed on",
                self._start("expense-approval", {**expense, "patience": _PATIENCE_SECONDS}),
                _do_nothing,
            ),
            (
                "Another workflow runs once a customer",
                self._start("customer-onboarding", {"customers": _CUSTOMERS}),
                _do_nothing,
            ),
            (
                f"An incident comes by webhook; nobody takes it within {_PATIENCE_SECONDS} s, then the manager does",
                self._deliver("incident-escalation", incident),
                self._acknowledge,
            ),
        ]
        shown = []
        for title, start, answer in stops:
            click.secho(f"\n{title}", bold=True, err=True)
            run = watch_run(self._api, start(), answer=answer)
            if run is None:
                return None
            shown.append(Shown(title=title, run=run))
        return shown

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
        for approval in self._people.pages("/v1/approvals"):
            if approval["run_id"] == run_id and approval["status"] == "pending":
                decision = {"decision": "approved", "comment": "Well spent."}
                self._people.post(f"/v1/approvals/{approval['id']}", decision)

    def _acknowledge(self, event: dict[str, Any]) -> None:
        """The manager takes the incident once it was escalated."""
        data = event.get("data", {})
        if event["type"] == "step.waiting" and data.get("step") == "taken":
            run_id = event["id"].partition(":")[0]
            self._people.post(f"/v1/runs/{run_id}/signal", {"name": "acknowledged", "payload": {"by": "manager"}})


def _do_nothing(_event: dict[str, Any]) -> None:
    """These runs need nobody."""


def _send(url: str, path: str, headers: dict[str, str], body: bytes) -> Any:
    try:
        answer = Wire(url).send("POST", path, headers, body)
    except Disconnected as error:
        raise ClientError(f"{url} broke the connection off: {error}. Try again.") from None
    if answer.status not in (200, 202):
        raise ClientError(f"The webhook answers {answer.status}: {answer.body.decode(errors='replace')[:200]}")
    return msgspec.json.decode(answer.body)


def find_refusal(shown: list[Shown]) -> bool:
    """Whether the product may not call the demo's target."""
    errors = [step["error"] for each in shown for step in each.run["steps"] if step["error"]]
    return any(error["code"] == REFUSED_TARGET for error in errors)


def print_results(shown: list[Shown], loaded: dict[str, Loaded], url: str) -> None:
    """One line a run, and where to look at it."""
    click.echo("")
    for each in shown:
        run = each.run
        created, ended = read_time(run["created_at"]), read_time(run["finished_at"])
        took = say_duration((ended - created).total_seconds()) if created and ended else ""
        colour = "green" if run["status"] == "succeeded" else "red"
        what = say_error(run["error"]) or msgspec.json.encode(run["output"]).decode()
        click.echo(f"{click.style(run['status'], fg=colour)} in {took}: {run['workflow_name']}: {what}")
        click.echo(f"  {url}/v1/runs/{run['id']}   ./flowforge logs {run['id']}")
    click.echo("")
    for workflow in loaded.values():
        hook = f"   webhook: {workflow.hook}" if workflow.hook else ""
        click.echo(f"{workflow.name}: {url}/v1/workflows/{workflow.id}{hook}")


def wait_for_ctrl_c() -> None:
    """Until somebody presses it."""
    while True:
        time.sleep(3600)
