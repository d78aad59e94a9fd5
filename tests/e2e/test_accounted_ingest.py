"""Every event is accounted for while the API, the relay and the workers are killed: none lost, none doubled."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count
from uuid import UUID

import httpx
import pytest
from msgspec import Struct

from tests.e2e.client import Client, Document, Published
from tests.e2e.database import Database
from tests.e2e.steps import define, transform
from tests.product import PATIENCE_SECONDS, Product, wait_for

SENDERS = 6
# Each is killed so often while the events come, in turn with the others.
ROUNDS = 2
VICTIMS = ("api", "relay", "workers")
DEFINITION = define(transform("note", n="{{ run.id }}"))
CONFIGS: dict[str, Document] = {
    "at once": {},
    "throttle": {"throttle": {"limit": 100, "per": 0.5}},
    "debounce": {"debounce": {"period": 0.5, "key": "string(trigger.body.n % 20)"}},
    "batch": {"batch": {"size": 7, "period": 1, "key": "string(trigger.body.n % 3)"}},
}


class Delivery(Struct, frozen=True, kw_only=True):
    """An event that a sender has to deliver."""

    hook: str
    name: str
    number: int


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product whose processes die here."""
    return start_product(workers=1)


@pytest.fixture
def hooks(client: Client) -> dict[str, Published]:
    """A hook for each way in which events become runs."""
    return {name: client.publish(DEFINITION, name=name, config=config) for name, config in CONFIGS.items()}


def plan_deliveries(hooks: dict[str, Published], posts: int) -> list[Delivery]:
    """So many posts over all hooks; every tenth is sent twice."""
    found: list[Delivery] = []
    places = list(hooks.values())
    for number in count():
        place = places[number % len(places)]
        found.append(Delivery(hook=place.hook, name=f"{place.trigger_id}-{number}", number=number))
        if number % 10 == 0:
            found.append(found[-1])
        if len(found) >= posts:
            return found[:posts]
    raise AssertionError


def deliver(http: httpx.Client, delivery: Delivery) -> str:
    """Send again under the same name until it is accepted, as senders do; the event's id."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = http.post(delivery.hook, json={"n": delivery.number}, headers={"webhook-id": delivery.name})
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.is_success:
            event_id: str = answer.json()["event_id"]
            return event_id
        assert answer is None or answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
        assert time.monotonic() < deadline, "the delivery was not accepted in time"
        time.sleep(0.05)


def send_all(product: Product, deliveries: Sequence[Delivery]) -> list[str]:
    """Deliver everything by several senders, and kill a process whenever the next part of it has been accepted."""
    accepted: list[str] = []
    kills = ROUNDS * len(VICTIMS)

    def send(part: Sequence[Delivery]) -> None:
        with httpx.Client(timeout=20) as http:
            for delivery in part:
                accepted.append(deliver(http, delivery))  # noqa: PERF401 - others look at how many there are

    with ThreadPoolExecutor(SENDERS) as executor:
        senders = [executor.submit(send, deliveries[first::SENDERS]) for first in range(SENDERS)]
        for number in range(kills):
            goal = len(deliveries) * (number + 1) // (kills + 1)
            wait_for(partial(has_come, accepted, goal, senders), what=f"{goal} deliveries")
            product.kill(VICTIMS[number % len(VICTIMS)])
        for sender in senders:
            sender.result()
    return accepted


def has_come(accepted: Sequence[str], goal: int, senders: Sequence[Future[None]]) -> bool:
    """Whether so many were accepted; raises what has ended a sender."""
    for sender in senders:
        if sender.done():
            sender.result()
    return len(accepted) >= goal


def read_ingest(client: Client) -> Document | None:
    """The accounts, None while the API cannot tell them."""
    try:
        answer = client.http.get("/v1/stats")
    except httpx.TransportError:
        return None
    ingest: Document | None = answer.json()["ingest"] if answer.is_success else None
    return ingest


@pytest.fixture
def watched(client: Client) -> Iterator[list[Document]]:
    """The accounts as they are told again and again while a test goes on."""
    seen: list[Document] = []
    is_over = threading.Event()

    def watch() -> None:
        with closing(Client(str(client.http.base_url))) as own:
            own.http.headers["authorization"] = client.http.headers["authorization"]
            while not is_over.wait(0.2):
                if (ingest := read_ingest(own)) is not None:
                    seen.append(ingest)

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield seen
    is_over.set()
    watcher.join()


@pytest.mark.parametrize(
    "posts", [800, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)])], ids=["few", "many"]
)
def test_kills_of_every_process_while_events_come_leave_no_drift(
    product: Product,
    client: Client,
    database: Database,
    hooks: dict[str, Published],
    watched: list[Document],
    posts: int,
) -> None:
    before = client.read("/v1/stats")["ingest"]
    deliveries = plan_deliveries(hooks, posts)
    answered = send_all(product, deliveries)
    ingest = wait_for(lambda: settled(client), seconds=4 * PATIENCE_SECONDS, what="accounts with nothing pending")
    assert ingest["drift"] == 0
    assert ingest["accepted"] == ingest["started"] + ingest["duplicate"] + ingest["filtered"] + ingest["pending"]
    assert watched
    assert [seen for seen in watched if seen["drift"]] == [], "there is no drift at any moment"
    names = {delivery.name for delivery in deliveries}
    assert ingest["started"] - before["started"] == len(names), "each delivery started a run, and its repeats did not"
    # A sender that heard no answer has sent again: there may be more repeats than it planned.
    assert ingest["accepted"] - before["accepted"] >= len(answered) == posts
    check_runs(database, hooks, answered)


def settled(client: Client) -> Document | None:
    """The accounts once nothing is pending."""
    ingest = read_ingest(client)
    return ingest if ingest is not None and ingest["pending"] == 0 else None


def check_runs(database: Database, hooks: dict[str, Published], answered: Sequence[str]) -> None:
    """What was answered has a receipt, what started has its run, and every run ends."""
    trigger_ids = [UUID(hook.trigger_id) for hook in hooks.values()]
    receipts = database.fetch("SELECT id, outcome, run_id FROM inbound_event WHERE trigger_id = ANY ($1)", trigger_ids)
    assert {str(receipt["id"]) for receipt in receipts}.issuperset(answered)
    runs = {row["id"] for row in database.fetch("SELECT id FROM run WHERE trigger_id = ANY ($1)", trigger_ids)}
    assert {receipt["run_id"] for receipt in receipts if receipt["outcome"] == "started"} == runs
    per_hook = database.fetch(
        "SELECT trigger_id, count(*) AS events, count(DISTINCT run_id) AS runs FROM inbound_event "
        "WHERE outcome = 'started' AND trigger_id = ANY ($1) GROUP BY trigger_id",
        trigger_ids,
    )
    found = {str(row["trigger_id"]): (row["events"], row["runs"]) for row in per_hook}
    for name in ("at once", "throttle"):
        events, its_runs = found[hooks[name].trigger_id]
        assert events == its_runs, name
    events, its_runs = found[hooks["batch"].trigger_id]
    assert events / 7 <= its_runs < events
    assert database.fetch("SELECT count(*) AS held FROM held_event") == [{"held": 0}]
    unfinished = "SELECT count(*) AS runs FROM run WHERE trigger_id = ANY ($1) AND status <> 'succeeded'"
    wait_for(
        lambda: database.fetch(unfinished, trigger_ids) == [{"runs": 0}],
        seconds=4 * PATIENCE_SECONDS,
        what="end of every run",
    )
