"""How large a definition may be, and what is wrong with a faulty one: everything at once, each with its place."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, assert_problem, step_of
from tests.e2e.steps import Step, condition, define, foreach, http, of_type, transform

Publish = Callable[..., Published]
MOST_STEPS, MOST_BYTES, MOST_LEVELS = 2_000, 1_048_576, 8


def faults(client: Client, definition: Any) -> set[tuple[str, str]]:
    """The place and code of every fault."""
    answer = client.http.post("/v1/workflows/validate", json=definition)
    assert answer.status_code == 200, answer.text
    verdict = answer.json()
    assert verdict["valid"] is not bool(verdict["errors"])
    assert all(error["message"] for error in verdict["errors"])
    return {(error["pointer"], error["code"]) for error in verdict["errors"]}


def nest(levels: int) -> Step:
    """A step with so many loops around it."""
    step = transform("leaf", n="{{ index }}")
    for level in range(levels):
        step = foreach(f"loop{level}", "[1]", step)
    return step


def test_two_thousand_steps_run_and_one_more_is_refused(client: Client, publish_workflow: Publish) -> None:
    steps = [transform("s0", n=0)]
    steps += [
        transform(f"s{n}", after=[f"s{n - 1}"], n="{{ steps.s" + str(n - 1) + ".output.n + 1 }}")
        for n in range(1, 1000)
    ]
    steps += [transform(f"p{n}", n=n) for n in range(1000)]
    definition = define(*steps, output="{{ steps.s999.output.n }}")
    assert len(steps) == MOST_STEPS
    run = client.finish(publish_workflow(definition).id)
    assert (run["status"], run["output"], len(run["steps"])) == ("succeeded", 999, MOST_STEPS)
    assert {step["status"] for step in run["steps"]} == {"succeeded"}
    definition["steps"].append(transform("one_more"))
    assert faults(client, definition) == {("/steps", "too_many_steps")}


def test_the_steps_of_loops_are_counted_too(client: Client) -> None:
    nested = [transform(f"n{n}") for n in range(1999)]
    assert faults(client, define(foreach("each", "[1]", *nested))) == set()
    assert faults(client, define(foreach("each", "[1]", *nested), transform("a"))) == {("/steps", "too_many_steps")}


def test_eight_loops_stand_in_each_other_and_nine_are_refused(client: Client, publish_workflow: Publish) -> None:
    run = client.finish(publish_workflow(define(nest(MOST_LEVELS))).id)
    assert run["status"] == "succeeded"
    output = step_of(run, "loop7")["output"]
    for level in range(MOST_LEVELS - 2, -1, -1):
        output = output[0][f"loop{level}"]
    assert output == [{"leaf": {"n": 0}}]
    place = "/steps/0" * (MOST_LEVELS + 2)
    assert faults(client, define(nest(MOST_LEVELS + 1))) == {(place, "too_deep")}


def test_a_definition_has_at_most_one_mib(client: Client) -> None:
    definition = define(transform("a", filling=""))
    room = MOST_BYTES - len(json.dumps(definition, separators=(",", ":")))
    for excess, status in ((0, 201), (1, 413)):
        definition["steps"][0]["with"]["values"]["filling"] = "x" * (room + excess)
        raw = json.dumps(definition, separators=(",", ":"))
        body = f'{{"name":"Large","definition":{raw}}}'
        answer = client.http.post("/v1/workflows", content=body, headers={"content-type": "application/json"})
        if status == 201:
            assert answer.status_code == 201, answer.text
            assert answer.json()["problems"] == []
        else:
            assert "1,048,576" in assert_problem(answer, 413, "payload_too_large")["detail"]


def test_expressions_that_take_long_to_read_are_refused_together(client: Client) -> None:
    # As many as fit into 1 MiB: over twice as many as a definition may have.
    dense = "{{ " + " + ".join(["1"] * 200) + " }}"
    definition = define(*(transform(f"s{number}", v=[dense] * 120) for number in range(10)))
    ((pointer, code),) = faults(client, definition)
    assert (pointer.split("/")[1], code) == ("steps", "too_many_parts")
    answer = client.http.post("/v1/workflows", json={"name": "Dense", "definition": definition})
    assert answer.status_code == 201, answer.text
    (problem,) = answer.json()["problems"]
    assert problem["code"] == "too_many_parts"
    assert "200,000" in problem["message"]
    refusal = assert_problem(
        client.http.post(f"/v1/workflows/{answer.json()['id']}/publish"), 422, "invalid_definition"
    )
    assert refusal["errors"] == [problem]


@pytest.mark.parametrize(
    ("place", "pointer"),
    [
        ([], "/surprise"),
        (["steps", 0], "/steps/0/surprise"),
        (["steps", 0, "with"], "/steps/0/with/surprise"),
        (["steps", 0, "retry"], "/steps/0/retry/surprise"),
        (["steps", 1, "steps", 0], "/steps/1/steps/0/surprise"),
        (["steps", 1, "steps", 0, "with"], "/steps/1/steps/0/with/surprise"),
        (["settings"], "/settings/surprise"),
        (["settings", "concurrency"], "/settings/concurrency/surprise"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unknown_field_is_a_fault_wherever_it_stands(client: Client, place: list[Any], pointer: str) -> None:
    definition = define(
        http("call", "https://a.example/", retry={"max_attempts": 2}),
        foreach("each", "[1]", condition("check", "true")),
        settings={"timeout": 60, "concurrency": {"key": "a"}},
    )
    assert faults(client, definition) == set()
    holder: Any = definition
    for key in place:
        holder = holder[key]
    holder["surprise"] = 1
    assert faults(client, definition) == {(pointer, "unknown_field")}


def test_anything_may_stand_under_ui_and_changes_nothing(client: Client, publish_workflow: Publish) -> None:
    definition = define(
        transform("a"), output=1, ui={"positions": {"a": [0, 1.5]}, "{{ nobody }}": ["{{ 1 + }}"], "x": None}
    )
    assert faults(client, definition) == set()
    run = client.finish(publish_workflow(definition).id)
    assert (run["status"], run["output"]) == ("succeeded", 1)
    assert client.read(f"/v1/workflows/{run['workflow_id']}/versions/1")["definition"] == definition
    assert faults(client, define(transform("a"), ui=[])) == {("/ui", "invalid_type")}


@pytest.mark.parametrize(
    ("steps", "pointer", "words"),
    [
        ([transform("a", after=["a"])], "/steps/0/after", ["'a' -> 'a'"]),
        ([transform("a", after=["b"]), transform("b", after=["a"])], "/steps/0/after", ["'a'", "'b'"]),
        ([transform(f"s{n}", after=[f"s{(n + 1) % 50}"]) for n in range(50)], "/steps/0/after", ["'s0'", "'s49'"]),
        (
            [
                condition("start", "true"),
                transform("a", after=["start", "b.error"]),
                of_type("transform", "b", {"values": {}}, after=["start.true", "a"], join="any"),
            ],
            "/steps/1/after",
            ["'a'", "'b'"],
        ),
        (
            [foreach("each", "[1]", transform("a", after=["b"]), transform("b", after=["a"]))],
            "/steps/0/steps/0/after",
            ["'a'", "'b'"],
        ),
    ],
    ids=["itself", "each other", "a ring of fifty", "over ports", "in a loop"],
)
def test_a_cycle_is_a_fault_that_names_its_steps(
    client: Client, steps: list[Step], pointer: str, words: list[str]
) -> None:
    errors = client.http.post("/v1/workflows/validate", json=define(*steps)).json()["errors"]
    assert [(error["pointer"], error["code"]) for error in errors] == [(pointer, "cycle")]
    assert all(word in errors[0]["message"] for word in words)


@pytest.mark.parametrize("step_id", ["a", "a" * 63, "a_1", "z9"])
def test_an_id_that_may_be(client: Client, step_id: str) -> None:
    assert faults(client, define(transform(step_id))) == set()


@pytest.mark.parametrize("step_id", ["", "A", "1a", "_a", "a-b", "a.b", "ä", "a" * 64, "a\n"])
def test_an_id_that_may_not_be(client: Client, step_id: str) -> None:
    assert ("/steps/0/id", "invalid_format") in faults(client, define(transform(step_id)))


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({}, {("", "required")}),
        ({"schema": 2, "steps": []}, {("/schema", "invalid_choice")}),
        ({"schema": 1, "steps": {}}, {("/steps", "invalid_type")}),
        ({"schema": 1, "steps": [7, None]}, {("/steps/0", "invalid_type"), ("/steps/1", "invalid_type")}),
        ({"schema": 1, "steps": [{"id": "a"}]}, {("/steps/0", "required")}),
        (define(of_type("teleport", "a")), {("/steps/0/type", "unknown_step_type")}),
        (define(transform("a", after=["b", "a.nothing"])), {("/steps/0/after/0", "unknown_step")}),
        (define({"id": "a", "type": "if", "with": []}), {("/steps/0/with", "invalid_type")}),
    ],
    ids=["empty", "schema 2", "steps as object", "steps that are none", "no type", "unknown type", "after", "with"],
)
def test_what_is_no_definition_is_told_with_its_place(
    client: Client, definition: Document, expected: set[tuple[str, str]]
) -> None:
    assert expected <= faults(client, definition)


def test_all_faults_are_told_at_once(client: Client) -> None:
    definition = {
        "schema": 1,
        "surprise": True,
        "steps": [
            {"id": "Fetch", "type": "http", "with": {"method": "FETCH", "url": "ftp://a.b", "json": 1, "body": ""}},
            {"id": "wait", "type": "delay", "with": {"seconds": -1}, "retry": {"max_attempts": 0}, "after": ["nobody"]},
            {"id": "check", "type": "if", "with": {"condition": "steps.later.output +"}, "after": ["wait.true"]},
            {"id": "check", "type": "switch", "with": {"cases": {"default": "true", "b": "nobody.x"}}},
            {
                "id": "each",
                "type": "foreach",
                "with": {"items": "[1]", "on_item_error": "stop"},
                "steps": [{"id": "in", "type": "transform", "with": {"values": {"a": ["{{ 1 + }}", "{{ outside }}"]}}}],
            },
            {"id": "x", "type": "transform", "with": {"values": {}}, "after": ["y"]},
            {"id": "y", "type": "transform", "with": {"values": {}}, "after": ["x"]},
        ],
        "output": {"a": "{{ steps.nothing.output }}", "b": "{{ item }}"},
        "settings": {"timeout": -5, "concurrency": {"limit": 0}},
    }
    expected = {
        ("/surprise", "unknown_field"),
        ("/steps/0/id", "invalid_format"),
        ("/steps/0/with/method", "invalid_choice"),
        ("/steps/0/with/url", "invalid_url"),
        ("/steps/1/with/seconds", "out_of_range"),
        ("/steps/1/retry/max_attempts", "out_of_range"),
        ("/steps/1/retry", "not_applicable"),
        ("/steps/1/after/0", "unknown_step"),
        ("/steps/2/with/condition", "expression_syntax"),
        ("/steps/2/after/0", "unknown_port"),
        ("/steps/3/id", "duplicate_step"),
        ("/steps/3/with/cases/default", "reserved_name"),
        ("/steps/3/with/cases/b", "unknown_name"),
        ("/steps/4/with/on_item_error", "invalid_choice"),
        ("/steps/4/steps/0/with/values/a/0", "expression_syntax"),
        ("/steps/4/steps/0/with/values/a/1", "unknown_name"),
        ("/steps/5/after", "cycle"),
        ("/output/a", "unknown_step"),
        ("/output/b", "unknown_name"),
        ("/settings/timeout", "out_of_range"),
        ("/settings/concurrency", "required"),
        ("/settings/concurrency/limit", "out_of_range"),
    }
    assert expected - faults(client, definition) == set()


def test_a_definition_without_steps_succeeds_at_once(client: Client, publish_workflow: Publish) -> None:
    run = client.finish(publish_workflow(define(output="{{ input }}")).id, {"input": 7})
    assert (run["status"], run["output"], run["steps"]) == ("succeeded", 7, [])


def test_a_step_is_shown_with_the_name_that_people_gave_it(client: Client, publish_workflow: Publish) -> None:
    name = "Größe prüfen ✓ " + "x" * 185
    run = client.finish(publish_workflow(define({**transform("a"), "name": name}, transform("b"))).id)
    assert [step["name"] for step in run["steps"]] == [name, None]
    assert faults(client, define({**transform("a"), "name": name + "y"})) == {("/steps/0/name", "too_long")}
    assert faults(client, define({**transform("a"), "name": 7})) == {("/steps/0/name", "invalid_type")}
