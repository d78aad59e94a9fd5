"""Expressions as runs see them: names, types, templates, errors with their position, and the run's output."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, step_of
from tests.e2e.steps import condition, define, delay, foreach, http, of_type, transform
from tests.e2e.target import Reply, Target

Publish = Callable[..., Published]
Evaluate = Callable[..., Document]


@pytest.fixture
def evaluate(client: Client, publish_workflow: Publish) -> Evaluate:
    """Run a workflow with one step and this output."""

    def run(output: Any, *, run_input: Any = None) -> Document:
        workflow = publish_workflow(define(condition("always", "true"), output=output), name="Names")
        return client.finish(workflow.id, {} if run_input is None else {"input": run_input})

    return run


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ input.n }}", 7),
        ("{{ input.price * input.n }}", 17.5),
        ("{{ input.n > 3 }}", True),
        ("{{ input.list }}", [1, "two", None]),
        ("{{ input.nothing_here }}", None),
        ("n = {{ input.n }}", "n = 7"),
        ("{{ input.name }} has {{ input.list }}", 'Zoë has [1,"two",null]'),
        ("{{ 1 + 2.5 }}", 3.5),
        ("{{ 1 == 1.0 }}", True),
        ("{{ input.n / 2 }}", 3),
        ("{{ size(input.list) }}", 3),
        ("{{ input.list.filter(x, x != null).size() }}", 2),
        ("{{ has(input.missing) ? 1 : 'none' }}", "none"),
        ({"a": ["{{ input.n }}", {"b": "{{ input.name }}"}], "c": 1}, {"a": [7, {"b": "Zoë"}], "c": 1}),
        ("no expression } here {", "no expression } here {"),
    ],
)
def test_a_template_gives_a_value_of_the_right_type(evaluate: Evaluate, template: Any, value: Any) -> None:
    given = {"n": 7, "price": 2.5, "name": "Zoë", "list": [1, "two", None], "nothing_here": None}
    run = evaluate(template, run_input=given)
    assert run["status"] == "succeeded", run["error"]
    assert run["output"] == value
    assert type(run["output"]) is type(value)


def test_the_names_of_a_run_are_there(evaluate: Evaluate) -> None:
    run = evaluate(
        {
            "run": "{{ run.id }}",
            "attempt": "{{ run.attempt }}",
            "started_at": "{{ run.started_at }}",
            "workflow": "{{ workflow.id }}",
            "name": "{{ workflow.name }}",
            "version": "{{ workflow.version }}",
            "trigger": "{{ trigger.type }}",
            "received_at": "{{ trigger.received_at }}",
            "input": "{{ input }}",
            "vars": "{{ vars }}",
        }
    )
    output = run["output"]
    assert (output["run"], output["attempt"], output["workflow"]) == (run["id"], 1, run["workflow_id"])
    assert (output["name"], output["version"], output["trigger"]) == ("Names", 1, "api")
    assert (output["input"], output["vars"]) == ({}, {})
    assert datetime.fromisoformat(output["started_at"]) == datetime.fromisoformat(run["started_at"])
    assert datetime.fromisoformat(output["received_at"]) <= datetime.fromisoformat(run["started_at"])


@pytest.mark.parametrize("run_input", [None, 0, "", [], False, {"a": {}}])
def test_any_json_value_may_be_the_input(client: Client, publish_workflow: Publish, run_input: Any) -> None:
    workflow = publish_workflow(define(condition("always", "true"), output="{{ input }}"))
    run = client.finish(workflow.id, {"input": run_input})
    assert (run["input"], run["output"]) == (run_input, run_input)


@pytest.mark.parametrize(
    ("expression", "position", "words"),
    [
        ("trigger.body.customer.id", None, ["customer"]),
        ("input.totl > 100", 5, ["totl", "total", "customer"]),
        ("input.total + 'x' > 1", 12, []),
        ("1 / (input.total - 150) > 0", 2, ["zero"]),
        ("[1, 2][5] == 1", 6, ["5"]),
    ],
)
def test_a_failing_expression_fails_the_step_with_its_text_and_position(
    client: Client, publish_workflow: Publish, expression: str, position: int | None, words: list[str]
) -> None:
    workflow = publish_workflow(define(condition("check", expression)))
    run = client.finish(workflow.id, {"input": {"total": 150, "customer": "Ada"}})
    check = step_of(run, "check")
    assert (run["status"], check["status"], check["reason"]) == ("failed", "failed", "expression_error")
    error = check["error"]
    assert (error["code"], error["expression"]) == ("expression_error", expression)
    assert 0 <= error["position"] <= len(expression)
    assert position is None or abs(error["position"] - position) <= 1
    assert all(word in error["message"] for word in words), error["message"]
    assert run["error"]["code"] == "expression_error"


def test_a_failing_template_in_a_step_names_its_place(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    step = http("call", target.base + "/", method="POST", with_={"json": {"list": [1, "at {{ input.missing }}"]}})
    run = client.finish(publish_workflow(define(step)).id, {"input": {"there": 1}})
    error = step_of(run, "call")["error"]
    assert (error["code"], error["pointer"]) == ("expression_error", "/json/list/1")
    assert "missing" in error["expression"]
    assert "there" in error["message"]
    assert step_of(run, "call")["attempts"] == []
    assert target.received() == []


@pytest.mark.parametrize(
    ("step", "pointer", "expression"),
    [
        (condition("at", "input.gone > 1"), "/condition", "input.gone > 1"),
        (of_type("switch", "at", {"cases": {"a": "false", "b": "input.gone"}}), "/cases/b", "input.gone"),
        (foreach("at", "input.gone", transform("a")), "/items", "input.gone"),
        (foreach("at", "[1]", transform("a"), output="{{ input.gone }}"), "/output", "input.gone"),
        (
            foreach("at", "[1]", transform("a"), output={"x": ["{{ item }}", "{{ input.gone }}"]}),
            "/output/x/1",
            "input.gone",
        ),
        (foreach("at", "[1]", transform("a"), concurrency="{{ input.gone }}"), "/concurrency", "input.gone"),
        (of_type("wait", "at", {"signal": "go", "timeout": "{{ input.gone }}"}), "/timeout", "input.gone"),
    ],
    ids=["if", "switch", "items", "output", "within output", "concurrency", "wait"],
)
def test_a_failing_expression_names_its_place_wherever_it_stands(
    client: Client, publish_workflow: Publish, step: Document, pointer: str, expression: str
) -> None:
    run = client.finish(publish_workflow(define(step)).id, {"input": {"there": 1}})
    error = step_of(run, "at")["error"]
    assert (error["pointer"], error["expression"], error["position"]) == (pointer, expression, 6)
    assert "there" in error["message"]


def test_a_failing_output_of_an_item_that_is_kept_names_its_place(client: Client, publish_workflow: Publish) -> None:
    loop = foreach("each", "[1]", transform("a"), output=["{{ input.gone }}"], on_item_error="continue")
    run = client.finish(publish_workflow(define(loop)).id, {"input": {"there": 1}})
    error = step_of(run, "each")["output"][0]["error"]
    assert (run["status"], error["code"], error["pointer"]) == ("succeeded", "expression_error", "/output/0")
    assert (error["expression"], error["position"]) == ("input.gone", 6)


def test_a_condition_that_is_no_bool_fails_the_step(client: Client, publish_workflow: Publish) -> None:
    run = client.finish(publish_workflow(define(condition("check", "1 + 1"))).id)
    assert (run["status"], step_of(run, "check")["status"]) == ("failed", "failed")
    assert "true or false" in step_of(run, "check")["error"]["message"]


def test_the_output_of_a_skipped_step_is_null_and_selecting_from_it_fails(
    client: Client, publish_workflow: Publish
) -> None:
    steps = [
        condition("choose", "false"),
        condition("skipped", "true", after=["choose.true"]),
        condition("is_null", "steps.skipped.output == null", after=["choose", "skipped"], join="any"),
        condition("selects", "steps.skipped.output.body == 1", after=["choose", "skipped"], join="any"),
        condition("status", "steps.skipped.status == 'skipped'", after=["choose", "skipped"], join="any"),
    ]
    run = client.finish(publish_workflow(define(*steps)).id)
    assert step_of(run, "is_null")["output"] is True
    assert step_of(run, "selects")["error"]["code"] == "expression_error"
    run = client.finish(publish_workflow(define(*(step for step in steps if step["id"] != "selects"))).id)
    assert (run["status"], step_of(run, "status")["output"]) == ("succeeded", True)


def test_in_the_output_of_the_run_selecting_from_nothing_gives_null(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.plan("/fails", Reply(status=404))
    run = client.finish(
        publish_workflow(
            define(
                http("fails", target.base + "/fails"),
                condition("rescue", "true", after=["fails.error"]),
                condition("skipped", "true", after=["fails"]),
                output={
                    "failed": "{{ steps.fails.output.body.total }}",
                    "skipped": "{{ steps.skipped.output.a.b[0].c }}",
                    "code": "{{ steps.fails.error.code }}",
                    "no_error": "{{ steps.rescue.error.message }}",
                    "text": "total: {{ steps.fails.output.total }}",
                },
            )
        ).id
    )
    assert run["status"] == "succeeded", run["error"]
    text = run["output"].pop("text")
    assert text.startswith("total: ")
    assert run["output"] == {"failed": None, "skipped": None, "code": "http_status", "no_error": None}


def test_a_failing_output_fails_the_run_with_output_error(evaluate: Evaluate) -> None:
    run = evaluate({"a": ["{{ 1 / (input.n - 7) }}"]}, run_input={"n": 7})
    assert (run["status"], run["reason"], run["output"]) == ("failed", "output_error", None)
    error = run["error"]
    assert (error["code"], error["pointer"]) == ("output_error", "/a/0")
    assert error["position"] >= 0
    assert [step["status"] for step in run["steps"]] == ["succeeded"]


def test_an_expression_beyond_its_budget_fails_and_hurts_nobody(client: Client, publish_workflow: Publish) -> None:
    hungry = "input.list.all(a, input.list.all(b, input.list.all(c, a + b + c >= 0)))"
    run = client.finish(publish_workflow(define(condition("hungry", hungry))).id, {"input": {"list": list(range(500))}})
    error = step_of(run, "hungry")["error"]
    assert (run["status"], error["code"], error["details"]["kind"]) == ("failed", "expression_error", "budget_exceeded")


def test_a_delay_takes_its_time_from_an_expression(client: Client, publish_workflow: Publish) -> None:
    steps = [
        delay("span", "{{ input.seconds }}"),
        {"id": "moment", "type": "delay", "with": {"until": "{{ input.until }}"}},
        {"id": "wrong", "type": "delay", "with": {"seconds": "{{ input.word }}"}},
        condition("rescue", "true", after=["wrong.error"]),
    ]
    given = {"seconds": 0.1, "until": "2020-01-01T00:00:00+02:00", "word": "many"}
    run = client.finish(publish_workflow(define(*steps)).id, {"input": given})
    assert run["status"] == "succeeded"
    assert [step["status"] for step in run["steps"]] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert "many" in step_of(run, "wrong")["error"]["message"]
