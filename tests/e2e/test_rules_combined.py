"""Definitions in which several rules meet, each in one run: how every step ends and why, and what the run gives."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published
from tests.e2e.steps import Step, condition, define, delay, foreach, of_type, transform

Publish = Callable[..., Published]

DONE, SKIPPED, PASSED_BY = "succeeded completed", "skipped dependency_succeeded", "skipped port_not_taken"
BROKE, STOPPED = "failed fail_step", "cancelled run_failed"
TRUE, FALSE, ITEMS = "succeeded condition_true", "succeeded condition_false", "succeeded items_done"


def fail(step_id: str, *after: str) -> Step:
    return of_type("fail", step_id, {"message": f"{step_id} broke"}, after=list(after) or None)


def give(step_id: str, *after: str, join: str = "all", **values: Any) -> Step:
    return {**transform(step_id, after=list(after) or None, **(values or {"v": step_id})), "join": join}


def odd() -> Step:
    """An `if` within a loop."""
    return condition("is_odd", "item % 2 == 1")


ENDS = {
    "a failure or a success leads on": (
        define(
            fail("a"),
            give("b"),
            give("c", "a.error", "b", join="any"),
            output={"why": "{{ steps.a.error.message }}", "how": "{{ steps.a.status }}", "x": "{{ steps.a.output.x }}"},
        ),
        {"a": BROKE, "b": DONE, "c": DONE},
        {"why": "a broke", "how": "failed", "x": None},
    ),
    "whatever becomes of a step leads on": (
        define(fail("a"), give("c", "a", "a.error", join="any")),
        {"a": BROKE, "c": DONE},
        None,
    ),
    "two failures are handled by one step that waits for both": (
        define(fail("a"), fail("b"), give("c", "a.error", "b.error", v="{{ steps.a.error.code }}")),
        {"a": BROKE, "b": BROKE, "c": DONE},
        None,
    ),
    "a rescue that fails is rescued itself": (
        define(fail("a"), fail("rescue", "a.error"), give("last", "rescue.error")),
        {"a": BROKE, "rescue": BROKE, "last": DONE},
        None,
    ),
    "of two rescues one fails and is handled": (
        define(
            fail("a"),
            fail("one", "a.error"),
            give("two", "a.error"),
            give("last", "one.error", "two", v="{{ steps.a.error.message }}, {{ steps.one.error.message }}"),
            output="{{ steps.last.output.v }}",
        ),
        {"a": BROKE, "one": BROKE, "two": DONE, "last": DONE},
        "a broke, one broke",
    ),
    "what is skipped has no error, and ways meet all the same": (
        define(
            condition("i", "false"),
            give("a", "i.true"),
            give("b", "i.true"),
            give("c", "a", "b", join="any"),
            give("d", "c.error"),
            give("e", "c", "i.false", join="any", v="{{ steps.c.status }} {{ steps.c.output }} {{ steps.c.error }}"),
            output="{{ steps.e.output.v }}",
        ),
        {
            "i": FALSE,
            "a": PASSED_BY,
            "b": PASSED_BY,
            "c": "skipped nothing_satisfied",
            "d": "skipped dependency_skipped",
            "e": DONE,
        },
        "skipped null null",
    ),
    "a case that cannot be told fails the switch, which is handled": (
        define(
            of_type("switch", "s", {"cases": {"b-1": "input.n.m > 5", "other": "true"}}),
            give("x", "s.b-1"),
            give("y", "s.other"),
            give("z", "s.default"),
            give("rescue", "s.error", v="{{ steps.s.error.code }}"),
            output="{{ steps.rescue.output.v }}",
        ),
        {
            "s": "failed expression_error",
            "x": "skipped dependency_failed",
            "y": "skipped dependency_failed",
            "z": "skipped dependency_failed",
            "rescue": DONE,
        },
        "expression_error",
    ),
    "a timeout that nobody listens to is a failure, which is handled": (
        define(
            of_type("approval", "ask", {"message": "Well?", "timeout": 0}),
            give("yes", "ask"),
            give("rescue", "ask.error", v="{{ steps.ask.error.code }}"),
            output="{{ steps.rescue.output.v }}",
        ),
        {"ask": "failed wait_timeout", "yes": "skipped dependency_failed", "rescue": DONE},
        "wait_timeout",
    ),
    "a timeout that somebody listens to is none": (
        define(
            of_type("approval", "ask", {"message": "Well?", "timeout": 0}),
            give("yes", "ask"),
            give("rescue", "ask.error"),
            give("late", "ask.timeout"),
            give("any", "ask", "ask.timeout", "ask.rejected", join="any", v="{{ steps.ask.output.decision }}"),
            output="{{ steps.any.output.v }}",
        ),
        {"ask": "succeeded wait_timeout", "yes": PASSED_BY, "rescue": SKIPPED, "late": DONE, "any": DONE},
        "timeout",
    ),
    "delays that cannot be told are handled beside those that are over": (
        define(
            delay("none", 0),
            of_type("delay", "past", {"until": "2020-01-01T00:00:00Z"}),
            delay("negative", "{{ 0 - 5 }}"),
            of_type("delay", "words", {"until": "{{ 'tomorrow' }}"}),
            give("one", "negative.error"),
            give("two", "words.error", "past", "none"),
        ),
        {
            "none": "succeeded delay_elapsed",
            "past": "succeeded delay_elapsed",
            "negative": "failed invalid_config",
            "words": "failed invalid_config",
            "one": DONE,
            "two": DONE,
        },
        None,
    ),
    "items fail, are rescued and meet again": (
        define(
            foreach(
                "each",
                "[0, 1, 2]",
                odd(),
                fail("f", "is_odd.true"),
                give("rescue", "f.error"),
                give("last", "rescue", "is_odd.false", join="any", v="{{ item }}-{{ index }}"),
                output="{{ steps.last.output.v }} {{ steps.f.status }}",
            ),
            give("after", "each", v="{{ steps.each.output }}"),
            output="{{ steps.after.output.v }}",
        ),
        {"each": ITEMS, "after": DONE},
        ["0-0 skipped", "1-1 failed", "2-2 skipped"],
    ),
    "what is kept of an item reads a step that was skipped": (
        define(
            foreach("all", "[1, 2]", odd(), give("x", "is_odd.true", v="{{ item }}"), output="{{ steps.x.output }}"),
            output="{{ steps.all.output }}",
        ),
        {"all": ITEMS},
        [{"v": 1}, None],
    ),
    "what cannot be kept of an item is that item's failure": (
        define(
            foreach("all", "[1, 0, 2]", give("x", v="{{ item }}"), output="{{ 4 / item }}", on_item_error="continue"),
            give("never", "all.error"),
            give("after", "all", v="{{ steps.all.output[1].error.message }}"),
            output=["{{ steps.all.output[0] }}", "{{ steps.after.output.v }}", "{{ steps.all.output[2] }}"],
        ),
        {"all": ITEMS, "never": SKIPPED, "after": DONE},
        [4, "division by zero", 2],
    ),
    "a loop over nothing, one over no list, and its rescue": (
        define(
            foreach("none", "[]", give("x")),
            foreach("map", "{'a': 1}", give("y")),
            give("rescue", "map.error", v="{{ steps.map.error.code }}"),
            output={"none": "{{ steps.none.output }}", "map": "{{ steps.rescue.output.v }}"},
        ),
        {"none": ITEMS, "map": "failed invalid_config", "rescue": DONE},
        {"none": [], "map": "invalid_config"},
    ),
    "loops in a loop read what lies around them": (
        define(
            give("a", v=5),
            foreach(
                "outer",
                "[[1, 2], [3]]",
                give("first", v="{{ steps.a.output.v + item[0] }}"),
                foreach("inner", "item", give("y", v="{{ steps.first.output.v * item + index }}"), after=["first"]),
                output="{{ steps.inner.output.map(one, one.y.v) }}",
                after=["a"],
            ),
            output="{{ steps.outer.output }}",
        ),
        {"a": DONE, "outer": ITEMS},
        [[6, 13], [24]],
    ),
    "a failed loop tells which item it was": (
        define(
            foreach("each", "[0, 1]", odd(), fail("f", "is_odd.true"), concurrency=1),
            give("rescue", "each.error", told="{{ steps.each.error.details }}"),
            output="{{ steps.rescue.output.told.index }} {{ steps.rescue.output.told.error.code }}",
        ),
        {"each": "failed item_failed", "rescue": DONE},
        "1 fail_step",
    ),
    "answers that nobody waits for, and one that is none": (
        define(
            of_type("respond", "one", {"status": 201, "body": "{{ input }}"}),
            of_type("respond", "two"),
            of_type("respond", "three", {"status": "{{ 99 }}"}),
            give("rescue", "three.error", "one", "two"),
            output=["{{ steps.one.output.body.n }}", "{{ steps.two.output.status }}"],
        ),
        {"one": DONE, "two": DONE, "three": "failed invalid_config", "rescue": DONE},
        [4, 200],
    ),
}  # fmt: skip

FAILURES = {
    "a listener that is skipped handles nothing": (
        define(fail("a"), give("b"), give("c", "a.error", "b.error"), delay("d", 3600, after=["b"])),
        {"a": BROKE, "b": DONE, "c": SKIPPED, "d": STOPPED},
        "fail_step",
    ),
    "a rescue that fails": (
        define(fail("a"), fail("rescue", "a.error"), give("last", "rescue")),
        {"a": BROKE, "rescue": BROKE, "last": STOPPED},
        "fail_step",
    ),
    "a condition that gives a number": (
        define(condition("i", "1"), give("yes", "i.true"), give("no", "i.false"), delay("d", 3600)),
        {"i": "failed invalid_config", "yes": STOPPED, "no": STOPPED, "d": STOPPED},
        "invalid_config",
    ),
    "selecting from the output of a failed step in its rescue": (
        define(fail("a"), give("rescue", "a.error", v="{{ steps.a.output.x }}")),
        {"a": BROKE, "rescue": "failed expression_error"},
        "expression_error",
    ),
    "selecting from the error of a step that succeeded": (
        define(give("a"), give("b", "a", v="{{ steps.a.error.message }}")),
        {"a": DONE, "b": "failed expression_error"},
        "expression_error",
    ),
    "a concurrency that an expression makes 0": (
        define(foreach("each", "[1]", give("x"), concurrency="{{ 0 }}"), give("after", "each")),
        {"each": "failed invalid_config", "after": STOPPED},
        "invalid_config",
    ),
    "an output that cannot be made": (
        define(give("a"), output="{{ 1 / 0 }}"),
        {"a": DONE},
        "output_error",
    ),
    "a timeout of the run that is no number": (
        define(delay("d", 3600), settings={"timeout": "{{ 'soon' }}"}),
        {"d": STOPPED},
        "invalid_settings",
    ),
}


def finish(client: Client, workflow: Published) -> tuple[Document, dict[str, str]]:
    run = client.finish(workflow.id, {"input": {"n": 4}})
    return run, {step["id"]: f"{step['status']} {step['reason']}" for step in run["steps"]}


@pytest.mark.parametrize(("definition", "steps", "output"), ENDS.values(), ids=ENDS.keys())
def test_every_step_ends_as_the_rules_say_together(
    client: Client, publish_workflow: Publish, definition: Document, steps: dict[str, str], output: Any
) -> None:
    run, ends = finish(client, publish_workflow(definition))
    assert (ends, run["status"], run["output"]) == (steps, "succeeded", output)


@pytest.mark.parametrize(("definition", "steps", "code"), FAILURES.values(), ids=FAILURES.keys())
def test_what_nobody_handles_fails_the_run_and_stops_the_rest(
    client: Client, publish_workflow: Publish, definition: Document, steps: dict[str, str], code: str
) -> None:
    run, ends = finish(client, publish_workflow(definition))
    assert (ends, run["status"], run["error"]["code"]) == (steps, "failed", code)
