"""Schedules over the API: runs at their due times, and everything that is told of them."""

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.client import Client, Document, assert_problem
from tests.e2e.database import Database
from tests.e2e.steps import define, transform
from tests.product import Product, wait_for

SIMPLE = define(transform("note", due="{{ trigger.due_at }}"))
HOURLY = {"every_seconds": 3600}


def publish(client: Client) -> str:
    """The id of a published workflow without any trigger."""
    workflow_id: str = client.create_workflow(SIMPLE)["id"]
    answer = client.http.post(f"/v1/workflows/{workflow_id}/publish")
    assert answer.status_code == 201, answer.text
    return workflow_id


def add_schedule(client: Client, workflow_id: str, config: Document, **more: Any) -> Document:
    return client.add_trigger(workflow_id, config, type="schedule", **more)


def find_trigger(client: Client, workflow_id: str, trigger_id: str) -> Document:
    items: list[Document] = client.read(f"/v1/workflows/{workflow_id}/triggers")["items"]
    return next(item for item in items if item["id"] == trigger_id)


def change(client: Client, trigger_id: str, **body: Any) -> Document:
    answer = client.http.patch(f"/v1/triggers/{trigger_id}", json=body)
    assert answer.status_code == 200, answer.text
    document: Document = answer.json()
    return document


def runs_of(client: Client, workflow_id: str) -> list[Document]:
    """The workflow's runs by schedules, the newest first."""
    items: list[Document] = client.read("/v1/runs", workflow_id=workflow_id, trigger_type="schedule", limit=200)[
        "items"
    ]
    return items


def wait_for_runs(client: Client, workflow_id: str, count: int) -> list[Document]:
    return wait_for(
        lambda: found if len(found := runs_of(client, workflow_id)) >= count else None,
        what=f"{count} runs of a schedule",
    )


def due_times(client: Client, runs: list[Document]) -> list[datetime]:
    """When the runs were due, in order, as they see it themselves."""
    return sorted(moment(client.run(run["id"])["trigger"]["due_at"]) for run in runs)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_schedule_starts_a_run_at_each_due_time(client: Client) -> None:
    workflow_id = publish(client)
    trigger = add_schedule(client, workflow_id, {"every_seconds": 1})
    assert (trigger["type"], trigger["url"], trigger["has_secret"]) == ("schedule", None, False)
    runs = wait_for_runs(client, workflow_id, 3)
    change(client, trigger["id"], enabled=False)
    due = due_times(client, runs)
    assert all(later - earlier == timedelta(seconds=1) for earlier, later in pairwise(due))
    ended = client.wait_for_end(runs[-1]["id"])
    assert ended["status"] == "succeeded"
    assert ended["trigger"]["type"] == "schedule"
    assert ended["steps"][0]["output"] == {"due": ended["trigger"]["due_at"]}
    assert moment(ended["created_at"]) >= due[0], "it is never early"
    receipts = client.read("/v1/events", trigger_id=trigger["id"], limit=200)["items"]
    assert {run["id"] for run in runs} <= {receipt["run_id"] for receipt in receipts}
    assert {receipt["outcome"] for receipt in receipts} == {"started"}


def test_the_next_five_times_are_shown_and_none_while_it_is_paused(client: Client) -> None:
    workflow_id = publish(client)
    trigger = add_schedule(client, workflow_id, {"cron": "*/10 3 29 2 *", "timezone": "America/New_York"})
    times = [moment(text) for text in trigger["schedule"]["next_fire_times"]]
    assert len(times) == 5
    assert all(later - earlier == timedelta(minutes=10) for earlier, later in pairwise(times))
    first = times[0].astimezone(ZoneInfo("America/New_York"))
    assert (first.month, first.day, first.hour, first.minute) == (2, 29, 3, 0)
    assert times[0] > moment(trigger["created_at"])
    assert find_trigger(client, workflow_id, trigger["id"]) == trigger
    paused = change(client, trigger["id"], enabled=False)
    assert paused["schedule"]["next_fire_times"] == []
    resumed = change(client, trigger["id"], enabled=True)
    assert len(resumed["schedule"]["next_fire_times"]) == 5


def test_what_was_due_during_a_pause_is_not_made_up_for(client: Client, database: Database) -> None:
    workflow_id = publish(client)
    trigger = add_schedule(client, workflow_id, {**HOURLY, "missed": "run_all"}, enabled=False)
    assert trigger["schedule"]["next_fire_times"] == []
    # As if it had been paused, hours ago, when it was about to be due.
    database.fetch("UPDATE schedule SET last_due_at = now() - interval '5 hours' WHERE trigger_id = $1", trigger["id"])
    resumed = change(client, trigger["id"], enabled=True)
    first = moment(resumed["schedule"]["next_fire_times"][0])
    assert first - moment(resumed["updated_at"]) > timedelta(minutes=59)
    assert runs_of(client, workflow_id) == []


def test_a_change_of_something_else_leaves_the_due_time_alone(client: Client) -> None:
    trigger = add_schedule(client, publish(client), HOURLY)
    same = change(client, trigger["id"], config=HOURLY, enabled=True)
    assert same["schedule"]["next_fire_times"] == trigger["schedule"]["next_fire_times"]
    other = change(client, trigger["id"], config={"every_seconds": 7200})
    assert other["schedule"]["next_fire_times"] != trigger["schedule"]["next_fire_times"]


def test_a_preview_tells_the_times_of_a_configuration_that_is_not_saved(client: Client) -> None:
    config = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    answer = client.http.post("/v1/triggers/preview", json={"config": config})
    assert answer.status_code == 200, answer.text
    times = [moment(text) for text in answer.json()["next_fire_times"]]
    assert len(times) == 5
    local = [due.astimezone(ZoneInfo("Europe/Berlin")) for due in times]
    # On one day of a year there is no such time.
    assert sum((due.hour, due.minute) == (2, 30) for due in local) >= 4
    assert all((later.date() - earlier.date()).days == 1 for earlier, later in pairwise(local))


def test_a_moment_is_due_once_and_then_never_again(client: Client) -> None:
    workflow_id = publish(client)
    at = datetime.now(UTC) + timedelta(seconds=10)
    trigger = add_schedule(client, workflow_id, {"at": at.isoformat()})
    (run,) = wait_for_runs(client, workflow_id, 1)
    assert due_times(client, [run]) == [at]
    after = find_trigger(client, workflow_id, trigger["id"])["schedule"]
    assert after["next_fire_times"] == []
    assert (after["last_run_id"], moment(after["last_due_at"])) == (run["id"], at)
    answer = client.http.patch(f"/v1/triggers/{trigger['id']}", json={"config": {"at": at.isoformat()}})
    problem = assert_problem(answer, 400, "invalid_request")
    assert problem["errors"][0]["pointer"] == "/config/at"


def test_an_unpublished_workflow_is_not_started_and_the_schedule_says_so(client: Client) -> None:
    workflow_id = client.create_workflow(SIMPLE)["id"]
    trigger = add_schedule(client, workflow_id, {"every_seconds": 1})
    wait_for(
        lambda: find_trigger(client, workflow_id, trigger["id"])["schedule"]["skip_reason"] == "not_published",
        what="due time that was passed over",
    )
    assert runs_of(client, workflow_id) == []
    assert client.http.post(f"/v1/workflows/{workflow_id}/publish").status_code == 201
    wait_for_runs(client, workflow_id, 1)
    change(client, trigger["id"], enabled=False)


@pytest.mark.parametrize(
    ("config", "pointer", "code"),
    [
        ({"cron": "every day"}, "/config/cron", "invalid_cron"),
        ({"cron": "* * * * *", "timezone": "Berlin"}, "/config/timezone", "unknown_timezone"),
        ({"cron": "0 0 30 2 *"}, "/config/cron", "invalid_cron"),
        ({}, "/config", "schedule_kind"),
        ({"every_seconds": 0}, "/config/every_seconds", "range"),
        ({"every_seconds": 5, "missed": "sometimes"}, "/config/missed", "choice"),
        ({"every_seconds": 5, "every_minute": 1}, "/config/every_minute", "unknown_field"),
        ({"at": "tomorrow"}, "/config/at", "format"),
        ({"at": "2020-01-01T00:00:00Z"}, "/config/at", "past"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_schedule_that_cannot_be_is_refused_with_its_place(
    client: Client, config: Document, pointer: str, code: str
) -> None:
    workflow_id = publish(client)
    calls: list[tuple[str, Document]] = [
        (f"/v1/workflows/{workflow_id}/triggers", {"type": "schedule", "config": config}),
        ("/v1/triggers/preview", {"config": config}),
    ]
    for path, body in calls:
        problem = assert_problem(client.http.post(path, json=body), 400, "invalid_request")
        assert (pointer, code) in [(fault["pointer"], fault["code"]) for fault in problem["errors"]]
    assert client.read(f"/v1/workflows/{workflow_id}/triggers")["items"] == []


def test_a_schedule_has_neither_an_address_nor_a_secret_to_rotate(client: Client) -> None:
    trigger = add_schedule(client, publish(client), HOURLY)
    for what in ("url", "secret"):
        answer = client.http.post(f"/v1/triggers/{trigger['id']}/rotate", json={"what": what})
        assert assert_problem(answer, 400, "invalid_request")["errors"][0]["code"] == "not_applicable"


def test_a_deleted_schedule_is_gone(client: Client, database: Database) -> None:
    trigger = add_schedule(client, publish(client), HOURLY)
    assert client.http.delete(f"/v1/triggers/{trigger['id']}").status_code == 204
    assert client.http.patch(f"/v1/triggers/{trigger['id']}", json={"enabled": True}).status_code == 404
    assert database.fetch("SELECT trigger_id FROM schedule WHERE trigger_id = $1", trigger["id"]) == []


def test_a_preview_is_for_those_who_may_read_triggers(client: Client, anonymous: Client) -> None:
    body = {"config": HOURLY}
    assert_problem(anonymous.http.post("/v1/triggers/preview", json=body), 401, "missing_token")
    assert client.http.post("/v1/triggers/preview", json=body).status_code == 200


def test_a_moment_that_came_while_the_product_was_down_runs_once(start_product: Callable[..., Product]) -> None:
    product = start_product()
    with closing(Client(product.url)) as client:
        client.sign_in()
        workflow_id = publish(client)
        at = datetime.now(UTC) + timedelta(seconds=15)
        add_schedule(client, workflow_id, {"at": at.isoformat()})
    assert product.stop() == 0
    # Whether it came before or after the end of the product, it is over when that starts again.
    wait_for(lambda: time.time() > at.timestamp(), what="due time")
    product.start()
    with closing(Client(product.url)) as client:
        client.sign_in()
        (run,) = wait_for_runs(client, workflow_id, 1)
        assert due_times(client, [run]) == [at]
