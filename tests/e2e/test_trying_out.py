"""Drafts, single steps and expressions tried out over the API, with real workers and a real target."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.client import Client, Published, assert_problem, statuses_of, step_of
from tests.e2e.steps import ONCE, condition, define, delay, http
from tests.e2e.target import Reply, Target
from tests.product import in_time

Publish = Callable[..., Published]
Step = dict[str, Any]


def transform(step_id: str, values: Step, **more: Any) -> Step:
    return {"id": step_id, "type": "transform", "with": {"values": values}, **more}


def foreach(step_id: str, items: str, *steps: Step, **more: Any) -> Step:
    return {"id": step_id, "type": "foreach", "with": {"items": items}, "steps": list(steps), **more}


def run_draft(client: Client, definition: Step, **body: Any) -> Step:
    """The run of a new draft's test, once it has ended."""
    workflow = client.create_workflow(definition)
    assert workflow["problems"] == []
    answer = client.http.post(f"/v1/workflows/{workflow['id']}/test", json=body)
    assert answer.status_code == 202, answer.text
    return client.wait_for_end(answer.json()["run_id"])


def run_step(client: Client, definition: Step, path: str, **body: Any) -> httpx.Response:
    workflow = client.create_workflow(definition)
    return client.http.post(f"/v1/workflows/{workflow['id']}/steps/{path}/test", json=body, timeout=40)


def outcome_of(answer: httpx.Response) -> Step:
    assert answer.status_code == 200, answer.text
    outcome: Step = answer.json()
    return outcome


def evaluate(client: Client, expression: str, **more: Any) -> httpx.Response:
    return client.http.post("/v1/expressions/evaluate", json={"expression": expression, **more})


def test_a_mocked_step_is_never_performed(client: Client, target: Target) -> None:
    definition = define(
        http("fetch", target.base + "/orders/{{ input.id }}"),
        condition("large", "steps.fetch.output.body.total > 100", after=["fetch"]),
        http("notify", target.base + "/chat", method="POST", after=["large.true"]),
        http("archive", target.base + "/archive", after=["large.false"]),
        output={"total": "{{ steps.fetch.output.body.total }}", "by": "{{ trigger.body.by }}"},
    )
    mocks = {"fetch": {"status": 200, "body": {"total": 150}}}
    run = run_draft(client, definition, input={"id": 7}, trigger={"body": {"by": "Olga"}}, mocks=mocks)
    assert (run["status"], run["output"], run["version"], run["is_test"]) == (
        "succeeded",
        {"total": 150, "by": "Olga"},
        0,
        True,
    )
    assert statuses_of(run) == {"fetch": "succeeded", "large": "succeeded", "notify": "succeeded", "archive": "skipped"}
    fetched = step_of(run, "fetch")
    assert (fetched["reason"], fetched["output"], fetched["attempts"]) == ("mocked", mocks["fetch"], [])
    assert [request.path.rsplit("/", 1)[1] for request in target.received()] == ["chat"]
    assert run["id"] not in {listed["id"] for listed in client.read("/v1/runs", limit=200)["items"]}
    assert run["id"] in {listed["id"] for listed in client.read("/v1/runs", limit=200, test="true")["items"]}


def test_steps_of_a_loop_are_mocked_by_their_ids(client: Client, target: Target) -> None:
    definition = define(
        foreach("each", "input", http("get", target.base + "/{{ item }}"), transform("n", {"i": "{{ index }}"})),
        output="{{ steps.each.output }}",
    )
    workflow = client.create_workflow(definition)
    path = f"/v1/workflows/{workflow['id']}/test"
    run_id = client.http.post(path, json={"input": ["a", "b"], "mocks": {"get": "x"}}).json()["run_id"]
    _wait_for_event(client, run_id, "run.succeeded")
    output = client.events(run_id)[-1]["data"]["output"]
    assert output == [{"get": "x", "n": {"i": 0}}, {"get": "x", "n": {"i": 1}}]
    assert target.received() == []


def test_a_mocked_decision_goes_the_way_that_it_goes_in_production(client: Client) -> None:
    ask = {"id": "ask", "type": "approval", "with": {"message": "Go on?"}}
    late = transform("late", {"said": "{{ steps.ask.output.decision }}"}, after=["ask.timeout"])
    mocks = {"ask": {"decision": "timeout", "comment": None, "by": None, "at": None}}
    run = run_draft(client, define(ask, late, output="{{ steps.late.output.said }}"), mocks=mocks)
    assert (run["status"], run["output"], step_of(run, "ask")["port"]) == ("succeeded", "timeout", "timeout")
    for decision, code in (("timeout", "wait_timeout"), ("rejected", "approval_rejected")):
        run = run_draft(client, define(ask), mocks={"ask": {"decision": decision}})
        assert (run["status"], run["error"]["code"], run["error"]["step"]) == ("failed", code, "ask")
        failed = step_of(run, "ask")
        assert (failed["status"], failed["reason"], failed["error"]["code"]) == ("failed", code, code)
        assert client.read("/v1/approvals", run_id=run["id"])["items"] == []


def test_the_draft_runs_and_not_what_was_published(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(define(transform("say", {"what": "published"}), output="{{ steps.say.output.what }}"))
    url = f"/v1/workflows/{workflow.id}"
    etag = client.http.get(url).headers["etag"]
    draft = define(transform("say", {"what": "draft"}), output="{{ steps.say.output.what }}")
    assert client.http.patch(url, json={"definition": draft}, headers={"If-Match": etag}).status_code == 200
    tested = client.http.post(f"{url}/test", json={}).json()["run_id"]
    assert client.wait_for_end(tested)["output"] == "draft"
    assert client.finish(workflow.id)["output"] == "published"
    assert [version["version"] for version in client.read(f"{url}/versions")["items"]] == [1]


def test_a_test_run_takes_no_slot(client: Client, target: Target) -> None:
    hold = target.hold("/slow")
    settings = {"concurrency": {"key": "one", "limit": 1, "when_full": "queue"}}
    workflow = client.publish(define(http("slow", target.base + "/slow"), settings=settings))
    real = client.start(workflow.id)
    target.wait("/slow")
    tested = client.http.post(f"/v1/workflows/{workflow.id}/test", json={"mocks": {"slow": 1}}).json()["run_id"]
    assert client.wait_for_end(tested)["status"] == "succeeded"
    hold.released.set()
    assert client.wait_for_end(real)["status"] == "succeeded"


def test_one_step_is_performed_in_a_given_context(client: Client, target: Target) -> None:
    target.plan("/orders/7", Reply(value={"total": 5}))
    definition = define(
        http("before", target.base + "/before"),
        http(
            "fetch",
            target.base + "/orders/{{ steps.before.output.id }}",
            after=["before"],
            with_={"headers": {"x-region": "{{ vars.region }}", "x-by": "{{ trigger.body.by }} {{ input.n }}"}},
        ),
    )
    context = {
        "steps": {"before": {"output": {"id": 7}}},
        "vars": {"region": "north"},
        "trigger": {"body": {"by": "Olga"}},
        "input": {"n": 3},
    }
    outcome = outcome_of(run_step(client, definition, "fetch", context=context))
    assert (outcome["status"], outcome["error"], outcome["port"]) == ("succeeded", None, None)
    assert (outcome["output"]["status"], outcome["output"]["body"]) == (200, {"total": 5})
    assert [attempt["status"] for attempt in outcome["attempts"]] == ["succeeded"]
    (request,) = target.received()
    assert (request.headers["x-region"], request.headers["x-by"]) == ("north", "Olga 3")
    assert request.key == f"{outcome['run_id']}:fetch"


def test_a_step_that_fails_tells_every_attempt(client: Client, target: Target) -> None:
    target.plan("/bad", Reply(status=503))
    retry = {"max_attempts": 2, "initial": 0, "jitter": False}
    outcome = outcome_of(run_step(client, define(http("call", target.base + "/bad", retry=retry)), "call"))
    assert (outcome["status"], outcome["output"], outcome["error"]["status"]) == ("failed", None, 503)
    assert [attempt["error"]["status"] for attempt in outcome["attempts"]] == [503, 503]


def test_a_step_that_branches_tells_its_port(client: Client) -> None:
    definition = define(condition("large", "steps.fetch.output > 100"))
    context = {"steps": {"fetch": {"output": 150}}}
    assert run_step(client, definition, "large", context=context).json()["port"] == "true"
    failed = outcome_of(run_step(client, definition, "large"))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "expression_error")
    assert failed["error"]["position"] == definition["steps"][0]["with"]["condition"].index("fetch")


def test_a_step_of_a_loop_is_tested_with_an_item(client: Client, target: Target) -> None:
    definition = define(
        http("list", target.base + "/list"),
        foreach(
            "each", "steps.list.output.body", http("get", target.base + "/{{ item.id }}/{{ index }}"), after=["list"]
        ),
    )
    outcome = outcome_of(run_step(client, definition, "each.get", context={"item": {"id": "a"}, "index": 4}))
    assert outcome["status"] == "succeeded"
    (request,) = target.received()
    assert request.path.endswith("/a/4")


def test_a_whole_loop_is_tested_as_one_step(client: Client, target: Target) -> None:
    loop = foreach("each", "steps.list.output", http("get", target.base + "/{{ item }}"), transform("n", {"i": 1}))
    context = {"steps": {"list": {"output": ["a", "b"]}}}
    outcome = outcome_of(run_step(client, define(loop), "each", context=context, mocks={"n": 0}))
    assert [item["get"]["body"]["path"][-2:] for item in outcome["output"]] == ["/a", "/b"]
    assert [item["n"] for item in outcome["output"]] == [0, 0]


@pytest.mark.parametrize(
    "step",
    [
        {"type": "wait", "with": {"signal": "paid"}},
        {"type": "approval", "with": {"message": "Go on?"}},
        {"type": "delay", "with": {"seconds": 3600}},
    ],
    ids=lambda step: str(step["type"]),
)
def test_a_step_that_waits_is_not_waited_for(client: Client, step: Step) -> None:
    def measure() -> float:
        started = time.monotonic()
        answer = run_step(client, define({"id": "pause", **step}), "pause")
        taken = time.monotonic() - started
        assert (answer.status_code, answer.json()["status"]) == (202, "waiting")
        run_id = answer.json()["run_id"]
        assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
        assert client.wait_for_end(run_id)["status"] == "cancelled"
        return taken

    in_time(measure, 10)


def test_a_short_delay_is_waited_for(client: Client) -> None:
    assert outcome_of(run_step(client, define(delay("pause", 0.3)), "pause"))["status"] == "succeeded"


def test_a_step_that_takes_longer_goes_on_without_its_caller(client: Client, target: Target) -> None:
    def measure() -> float:
        hold = target.hold("/slow")
        started = time.monotonic()
        answer = run_step(client, define(http("slow", target.base + "/slow")), "slow", timeout=3)
        taken = time.monotonic() - started
        assert (answer.status_code, answer.json()["status"]) == (202, "running")
        assert taken >= 3
        hold.released.set()
        assert client.wait_for_end(answer.json()["run_id"])["status"] == "succeeded"
        return taken

    # Where nothing is said, a caller waits for much longer.
    in_time(measure, 15)


def test_a_repeated_key_waits_for_the_test_that_it_began(client: Client, target: Target) -> None:
    workflow = client.create_workflow(define(http("call", target.base + "/once", retry=ONCE)))
    path, key = f"/v1/workflows/{workflow['id']}/steps/call/test", {"Idempotency-Key": "again"}
    first = client.http.post(path, json={}, headers=key)
    second = client.http.post(path, json={}, headers=key)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.status_code == 200
    assert len(target.received("/once")) == 1


def test_an_expression_gives_for_a_run_what_it_gave_in_it(client: Client, target: Target) -> None:
    target.plan("/orders", Reply(value={"rows": [{"id": 7}, {"id": 8}], "total": 15.5}))
    definition = define(
        http("fetch", target.base + "/orders"),
        foreach(
            "each",
            "steps.fetch.output.body.rows",
            transform("say", {"text": "{{ item.id }} of {{ size(steps.fetch.output.body.rows) }}"}),
            after=["fetch"],
        ),
        transform("fail", {"x": "{{ steps.fetch.output.body.nothing }}"}, after=["each"]),
    )
    workflow = client.publish(definition)
    run_id = client.start(workflow.id, {"input": {"limit": 10}})
    _wait_for_event(client, run_id, "run.failed")
    value = evaluate(client, "steps.fetch.output.body.total > input.limit", run_id=run_id).json()
    assert value == {"value": True, "type": "bool"}
    said = next(event["data"] for event in client.events(run_id) if event["data"].get("step") == "each[1].say")
    text = definition["steps"][1]["steps"][0]["with"]["values"]["text"]
    again = evaluate(client, text, run_id=run_id, step="each[1].say").json()
    assert again == {"value": said["output"]["text"], "type": "string"}
    error = next(event["data"] for event in client.events(run_id) if event["type"] == "step.failed")["error"]
    refused = evaluate(client, "{{ steps.fetch.output.body.nothing }}", run_id=run_id)
    problem = assert_problem(refused, 422, "expression_error")
    assert {name: problem[name] for name in ("message", "position", "expression")} == {
        name: error[name] for name in ("message", "position", "expression")
    }
    assert problem["kind"] == error["details"]["kind"]


def test_a_large_output_is_read_where_it_is_named(client: Client, target: Target) -> None:
    target.plan("/large", Reply(value={"filling": "x" * 200_000}))
    run_id = client.start(client.publish(define(http("fetch", target.base + "/large"))).id)
    _wait_for_event(client, run_id, "run.succeeded")
    assert evaluate(client, "size(steps.fetch.output.body.filling)", run_id=run_id).json()["value"] == 200_000


def test_a_draft_with_faults_or_strange_mocks_is_not_run(client: Client) -> None:
    faulty = client.create_workflow(define(condition("a", "true", after=["nowhere"])))
    refused = assert_problem(client.http.post(f"/v1/workflows/{faulty['id']}/test", json={}), 422, "invalid_definition")
    assert refused["errors"] == faulty["problems"]
    good = client.create_workflow(define(condition("a", "true")))
    answer = client.http.post(f"/v1/workflows/{good['id']}/test", json={"mocks": {"b": 1}})
    assert [error["pointer"] for error in assert_problem(answer, 422, "invalid_test")["errors"]] == ["/mocks/b"]
    assert_problem(client.http.post(f"/v1/workflows/{good['id']}/steps/b/test", json={}), 404, "not_found")


def _wait_for_event(client: Client, run_id: str, kind: str) -> None:
    """Read the run's stream up to an event of this kind."""
    with client.stream(f"/v1/runs/{run_id}/stream") as frames:
        assert any(frame.event == kind for frame in frames)
