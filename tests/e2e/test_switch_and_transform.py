"""Choosing among several ways, and making values out of others."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, statuses_of, step_of
from tests.e2e.steps import condition, define, http, of_type, transform
from tests.e2e.target import Reply, Target

Publish = Callable[..., Published]
Finish = Callable[..., Document]
SIZES = {"large": "input.total > 100", "some": "input.total > 10", "one": "input.total == 1"}


@pytest.fixture
def finish(client: Client, publish_workflow: Publish) -> Finish:
    """Publish a definition, run it, and give the run at its end."""
    return lambda definition, **body: client.finish(publish_workflow(definition).id, body)


def switch_into(cases: Document) -> Document:
    """A `switch` with a step behind every port."""
    ports = [*cases, "default", "error"]
    behind = [transform(f"at_{port}", after=[f"choose.{port}"], port=port) for port in ports]
    together = transform("together", after=["choose"], way="{{ steps.choose.output }}")
    return define(of_type("switch", "choose", {"cases": cases}), *behind, together)


@pytest.fixture(scope="module")
def sized(client: Client) -> str:
    """The id of a workflow that goes by `input.total`."""
    return client.publish(switch_into(SIZES)).id


@pytest.mark.parametrize(
    ("total", "port", "reason"),
    [
        (500, "large", "case_matched"),
        (50, "some", "case_matched"),
        (1, "one", "case_matched"),
        (5, "default", "no_case_matched"),
    ],
)
def test_a_switch_goes_on_at_its_first_true_case_and_else_at_default(
    client: Client, sized: str, total: int, port: str, reason: str
) -> None:
    run = client.finish(sized, {"input": {"total": total}})
    choose = step_of(run, "choose")
    assert (run["status"], choose["output"], choose["port"], choose["reason"]) == ("succeeded", port, port, reason)
    ran = {step["id"] for step in run["steps"] if step["status"] == "succeeded"}
    assert ran == {"choose", f"at_{port}", "together"}
    others = {step["reason"] for step in run["steps"] if step["status"] == "skipped"}
    assert others == {"port_not_taken", "dependency_succeeded"}


def test_cases_are_asked_in_the_order_of_the_document(finish: Finish) -> None:
    names = ["zebra", "apple", "mango"]
    for order in (names, names[::-1]):
        run = finish(switch_into(dict.fromkeys(order, "input.n > 0")), input={"n": 1})
        assert step_of(run, "choose")["port"] == order[0]


def test_cases_behind_the_first_true_one_are_not_evaluated(finish: Finish) -> None:
    run = finish(switch_into({"first": "true", "broken": "input.no.such.thing"}), input={})
    assert (run["status"], step_of(run, "choose")["port"]) == ("succeeded", "first")


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [("input.total", "invalid_config", "a number"), ("input.nothing.at_all", "expression_error", "nothing")],
    ids=["no truth value", "failing"],
)
def test_a_case_that_cannot_be_decided_fails_the_switch(finish: Finish, case: str, code: str, words: str) -> None:
    run = finish(switch_into({"sick": case, "well": "true"}), input={"total": 7})
    choose = step_of(run, "choose")
    assert (choose["status"], choose["reason"], choose["error"]["code"]) == ("failed", code, code)
    assert words in choose["error"]["message"]
    assert run["status"] == "succeeded"
    assert statuses_of(run) == {
        "choose": "failed",
        "at_sick": "skipped",
        "at_well": "skipped",
        "at_default": "skipped",
        "at_error": "succeeded",
        "together": "skipped",
    }


def test_ways_of_a_switch_come_together_with_join_any(finish: Finish) -> None:
    definition = switch_into({"left": "true", "right": "false"})
    meet = of_type("transform", "meet", {"values": {}}, after=["at_left", "at_right", "at_default"], join="any")
    definition["steps"].append(meet)
    assert step_of(finish(definition), "meet")["status"] == "succeeded"


@pytest.mark.parametrize(
    ("cases", "pointer", "code"),
    [
        ({}, "/steps/0/with/cases", "invalid_value"),
        ({"default": "true"}, "/steps/0/with/cases/default", "reserved_name"),
        ({"error": "true"}, "/steps/0/with/cases/error", "reserved_name"),
        ({"a.b": "true"}, "/steps/0/with/cases/a.b", "invalid_format"),
        ({"a/b": "true"}, "/steps/0/with/cases/a~1b", "invalid_format"),
        ({"ok": ""}, "/steps/0/with/cases/ok", "too_short"),
        ({"ok": "1 +"}, "/steps/0/with/cases/ok", "expression_syntax"),
        ({"ok": True}, "/steps/0/with/cases/ok", "invalid_type"),
        ({f"case{n}": "true" for n in range(101)}, "/steps/0/with/cases", "invalid_value"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value),
)
def test_a_switch_with_faulty_cases_is_refused(client: Client, cases: Document, pointer: str, code: str) -> None:
    definition = define(of_type("switch", "choose", {"cases": cases}))
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert (pointer, code) in {(error["pointer"], error["code"]) for error in errors}, errors


def test_a_port_that_no_case_has_is_an_error(client: Client) -> None:
    switch = of_type("switch", "choose", {"cases": SIZES})
    definition = define(switch, condition("a", "true", after=["choose.huge"]), condition("b", "true", after=["a.huge"]))
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert [(error["pointer"], error["code"]) for error in errors] == [
        ("/steps/1/after/0", "unknown_port"),
        ("/steps/2/after/0", "unknown_port"),
    ]
    assert all(port in errors[0]["message"] for port in [*SIZES, "default", "error"])


def test_a_transform_gives_its_values_filled_in(finish: Finish, target: Target) -> None:
    target.plan("/price", Reply(value={"price": 2.5}))
    values: dict[str, Any] = {
        "total": "{{ steps.fetch.output.body.price * input.count }}",
        "text": "{{ input.count }} pieces",
        "nested": {"list": [1, "{{ input.names }}", {"deep": "{{ input.names[0] }}"}], "plain": None},
        "flag": "{{ input.count > 3 }}",
        "whole": "{{ input }}",
    }
    run_input = {"count": 4, "names": ["Ann", "Bob"]}
    run = finish(
        define(
            http("fetch", target.base + "/price"),
            of_type("transform", "make", {"values": values}, after=["fetch"]),
            output="{{ steps.make.output }}",
        ),
        input=run_input,
    )
    expected = {
        "total": 10.0,
        "text": "4 pieces",
        "nested": {"list": [1, ["Ann", "Bob"], {"deep": "Ann"}], "plain": None},
        "flag": True,
        "whole": run_input,
    }
    make = step_of(run, "make")
    assert (make["output"], make["reason"], run["output"]) == (expected, "completed", expected)
    assert make["input"] == {"values": expected}


def test_a_transform_that_cannot_be_made_fails_with_the_place(finish: Finish) -> None:
    run = finish(
        define(of_type("transform", "make", {"values": {"a": 1, "b": {"c": ["{{ input.x + 1 }}"]}}})), input={}
    )
    error = step_of(run, "make")["error"]
    assert (run["status"], error["code"], error["expression"]) == ("failed", "expression_error", "input.x + 1")
    assert error["pointer"] == "/values/b/c/0"
