"""The main job: a webhook starts a run, which calls, decides, waits and calls again."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable

import httpx
import pytest

from tests.e2e.client import Client, Deliver, Document, Published, statuses_of, step_of
from tests.e2e.steps import condition, define, delay, http
from tests.e2e.target import Reply, Target
from tests.product import in_time

SECRET = "It's a Secret to Everybody"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
DELAY_SECONDS = 0.6
PUSH: Document = {
    "ref": "refs/heads/main",
    "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    "after": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
    "repository": {"id": 186853002, "full_name": "octo-org/octo-repo", "private": False},
    "pusher": {"name": "octocat", "email": "octocat@example.com"},
    "commits": [{"id": "0d1a26e", "message": "Größe → angepasst ✓", "added": ["README.md"]}],
}


Push = Callable[..., httpx.Response]


@pytest.fixture
def push(deliver: Deliver) -> Push:
    """Deliver a push as GitHub does."""
    raw = json.dumps(PUSH, ensure_ascii=False).encode()

    def send(hook: str, delivery: str, **headers: str) -> httpx.Response:
        return deliver(
            hook,
            raw,
            user_agent="GitHub-Hookshot/044aadd",
            x_github_event="push",
            x_github_delivery=delivery,
            x_hub_signature_256="sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest(),
            **headers,
        )

    return send


def definition_for(target: Target) -> Document:
    return define(
        http("fetch", target.base + "/compare/{{ trigger.body.after }}"),
        condition("large", "steps.fetch.output.body.files > 100", after=["fetch"]),
        delay("pause", DELAY_SECONDS, after=["large.true"]),
        http(
            "notify",
            target.base + "/notify",
            method="POST",
            with_={"json": {"text": "{{ trigger.body.pusher.name }} pushed", "head": "{{ trigger.body.commits[0] }}"}},
            after=["pause"],
        ),
        http("small", target.base + "/small", method="POST", after=["large.false"]),
        http("after_small", target.base + "/small", method="POST", after=["small"]),
        output={"files": "{{ steps.fetch.output.body.files }}", "small": "{{ steps.small.output.body.x }}"},
    )


@pytest.fixture
def pushed(target: Target, publish_workflow: Callable[..., Published]) -> Published:
    target.plan(f"/compare/{PUSH['after']}", Reply(value={"files": 150}))
    return publish_workflow(
        definition_for(target), name="Pushes", config={"auth": {"type": "github", "secret": SECRET}}
    )


def test_a_signed_push_runs_to_its_end_and_reaches_the_target_once_each(
    client: Client, target: Target, pushed: Published, push: Push
) -> None:
    answer = push(pushed.hook, str(uuid.uuid4()))
    assert answer.status_code == 202, answer.text
    assert answer.json().keys() == {"event_id", "run_id"}
    run = client.wait_for_end(answer.json()["run_id"])
    assert run["status"] == "succeeded"
    assert run["output"] == {"files": 150, "small": None}
    assert statuses_of(run) == {
        "fetch": "succeeded",
        "large": "succeeded",
        "pause": "succeeded",
        "notify": "succeeded",
        "small": "skipped",
        "after_small": "skipped",
    }
    assert [request.path.rpartition("/")[2] for request in target.received()] == [PUSH["after"], "notify"]
    (notify,) = target.received("/notify")
    assert notify.json == {"text": "octocat pushed", "head": PUSH["commits"][0]}


def test_every_request_carries_its_own_idempotency_key_the_attempt_and_the_trace(
    client: Client, target: Target, pushed: Published, push: Push
) -> None:
    first = push(pushed.hook, str(uuid.uuid4()), traceparent=f"00-{TRACE_ID}-00f067aa0ba902b7-01").json()["run_id"]
    second = push(pushed.hook, str(uuid.uuid4())).json()["run_id"]
    ended = [client.wait_for_end(run_id) for run_id in (first, second)]
    assert [run["status"] for run in ended] == ["succeeded", "succeeded"]
    requests = target.received()
    assert len(requests) == 4
    assert len({request.key for request in requests}) == 4
    assert {request.headers["x-flowforge-attempt"] for request in requests} == {"1"}
    traced = [request for request in requests if request.trace_id == TRACE_ID]
    others = [request for request in requests if request.trace_id != TRACE_ID]
    assert [request.path for request in traced] == [request.path for request in others]
    assert len({request.trace_id for request in others}) == 1
    assert [run["trace_id"] for run in ended] == [TRACE_ID, others[0].trace_id]
    for request in requests:
        version, trace_id, span_id, flags = request.headers["traceparent"].split("-")
        assert (version, len(trace_id), len(span_id), len(flags)) == ("00", 32, 16, 2)


def test_the_delay_is_never_early_and_not_much_late(
    client: Client, target: Target, pushed: Published, push: Push
) -> None:
    def measure() -> float:
        run = client.wait_for_end(push(pushed.hook, str(uuid.uuid4())).json()["run_id"])
        pause = step_of(run, "pause")
        assert pause["reason"] == "delay_elapsed"
        assert pause["started_at"] < pause["finished_at"]
        waited = target.received("/notify")[-1].at - target.answered_at(f"/compare/{PUSH['after']}")
        assert waited >= DELAY_SECONDS
        return waited

    in_time(measure, DELAY_SECONDS + 1)


def test_the_branch_that_is_not_taken_is_skipped_with_its_reason(client: Client, pushed: Published, push: Push) -> None:
    run = client.wait_for_end(push(pushed.hook, str(uuid.uuid4())).json()["run_id"])
    small, after_small = step_of(run, "small"), step_of(run, "after_small")
    assert (small["status"], small["reason"], small["because"]) == ("skipped", "port_not_taken", "large.false")
    assert (after_small["status"], after_small["reason"]) == ("skipped", "dependency_skipped")
    assert small["attempts"] == after_small["attempts"] == []
    assert step_of(run, "large")["reason"] == "condition_true"


def test_the_same_delivery_again_answers_200_with_the_same_run(
    client: Client, target: Target, pushed: Published, push: Push
) -> None:
    delivery = str(uuid.uuid4())
    first = push(pushed.hook, delivery)
    during = push(pushed.hook, delivery)
    client.wait_for_end(first.json()["run_id"])
    afterwards = push(pushed.hook, delivery)
    assert [answer.status_code for answer in (first, during, afterwards)] == [202, 200, 200]
    assert {answer.json()["run_id"] for answer in (first, during, afterwards)} == {first.json()["run_id"]}
    assert len({answer.json()["event_id"] for answer in (first, during, afterwards)}) == 3
    assert len(target.received()) == 2


def test_receipts_tell_what_became_of_each_delivery(client: Client, pushed: Published, push: Push) -> None:
    delivery = str(uuid.uuid4())
    first, second = push(pushed.hook, delivery).json(), push(pushed.hook, delivery).json()
    receipts = [client.read(f"/v1/events/{event['event_id']}") for event in (first, second)]
    assert [receipt["outcome"] for receipt in receipts] == ["started", "duplicate"]
    assert {receipt["run_id"] for receipt in receipts} == {first["run_id"]}
    assert {receipt["trigger_id"] for receipt in receipts} == {pushed.trigger_id}
    assert {receipt["dedup_key"] for receipt in receipts} == {delivery}


def test_the_run_shows_its_trigger_its_version_and_its_times(client: Client, pushed: Published, push: Push) -> None:
    run = client.wait_for_end(push(pushed.hook, str(uuid.uuid4())).json()["run_id"])
    trigger = run["trigger"]
    assert (trigger["type"], trigger["method"], trigger["body"]) == ("webhook", "POST", PUSH)
    assert trigger["headers"]["x-github-event"] == "push"
    assert trigger["query"] == {}
    assert (run["workflow_id"], run["version"], run["input"], run["error"]) == (pushed.id, 1, {}, None)
    assert run["created_at"] <= run["started_at"] < run["finished_at"]
    fetch = step_of(run, "fetch")
    assert [attempt["number"] for attempt in fetch["attempts"]] == [1]
    assert (fetch["attempts"][0]["status"], fetch["attempts"][0]["error"]) == ("succeeded", None)
    assert fetch["output"].keys() == {"status", "headers", "body", "elapsed_ms"}
    assert fetch["output"]["body"] == {"files": 150}
    assert fetch["input"]["url"].endswith(f"/compare/{PUSH['after']}")


def test_the_events_of_a_run_have_a_gapless_seq_and_a_reason_each(
    client: Client, pushed: Published, push: Push
) -> None:
    run = client.wait_for_end(push(pushed.hook, str(uuid.uuid4())).json()["run_id"])
    events = client.events(run["id"])
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["id"] for event in events}) == len(events)
    assert all(event["data"]["reason"] for event in events)
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["run.queued", "run.started"]
    assert kinds[-1] == "run.succeeded"
    assert kinds.index("run.waiting") < kinds.index("run.resumed")
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_events_are_read_in_pages(client: Client, pushed: Published, push: Push) -> None:
    run = client.wait_for_end(push(pushed.hook, str(uuid.uuid4())).json()["run_id"])
    whole = client.events(run["id"])
    pages, cursor = [], None
    while True:
        page = client.read(f"/v1/runs/{run['id']}/events", limit=3, **({"cursor": cursor} if cursor else {}))
        pages.append(page["items"])
        if (cursor := page["next_cursor"]) is None:
            break
    assert [event for page in pages for event in page] == whole
    assert all(len(page) == 3 for page in pages[:-1])
    assert client.read(f"/v1/runs/{run['id']}/events", after=4)["items"] == whole[4:]
