"""Loops: nested steps for every item, how many at a time, what each gives, and what becomes of those that fail."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Document, Published, assert_problem, statuses_of, step_of
from tests.e2e.steps import ONCE, Step, condition, define, delay, foreach, http, of_type, transform
from tests.e2e.target import Reply, Target

Publish = Callable[..., Published]
Finish = Callable[..., Document]


@pytest.fixture
def finish(client: Client, publish_workflow: Publish) -> Finish:
    """Publish a definition, run it with an input, and give the run at its end."""
    return lambda definition, given=None: client.finish(publish_workflow(definition).id, {"input": given or {}})


def items_of(client: Client, run_id: str, parent: str = "each") -> list[Document]:
    """Every item of a loop."""
    page = client.read(f"/v1/runs/{run_id}/steps", parent=parent, limit=100)
    assert page["next_cursor"] is None
    items: list[Document] = page["items"]
    return items


def fail_where(expression: str) -> list[Step]:
    """Nested steps that fail for items of which the expression is true."""
    return [
        condition("check", expression),
        of_type("fail", "refuse", {"message": "no {{ item }}"}, after=["check.true"]),
        transform("take", after=["check.false"], got="{{ item }}"),
    ]


def test_the_output_is_in_the_order_of_the_items_whoever_ends_first(
    client: Client, finish: Finish, target: Target
) -> None:
    delays = [0.4, 0.0, 0.2]
    for n, seconds in enumerate(delays):
        target.plan(f"/item/{n}", Reply(value=n, delay=seconds))
    loop = foreach(
        "each",
        "input.names",
        http("call", target.base + "/item/{{ index }}", retry=ONCE),
        transform("say", after=["call"], text="{{ item }}: {{ steps.call.output.body }}"),
    )
    run = finish(define(loop, output="{{ steps.each.output }}"), {"names": ["Ann", "Bob", "Cyd"]})
    assert run["status"] == "succeeded"
    assert [result["say"] for result in run["output"]] == [{"text": "Ann: 0"}, {"text": "Bob: 1"}, {"text": "Cyd: 2"}]
    assert all(result.keys() == {"call", "say"} for result in run["output"])
    assert [result["call"]["status"] for result in run["output"]] == [200, 200, 200]
    each = step_of(run, "each")
    assert (each["reason"], each["items"]) == ("items_done", {"total": 3, "done": 3, "failed": 0})


def test_every_item_is_called_under_a_key_and_a_path_of_its_own(client: Client, finish: Finish, target: Target) -> None:
    run = finish(define(foreach("each", "[7, 8, 9]", http("call", target.base + "/call"))))
    keys = {request.key for request in target.received("/call")}
    assert keys == {f"{run['id']}:each[{n}].call" for n in range(3)}
    items = items_of(client, run["id"])
    assert [(item["index"], item["path"]) for item in items] == [(n, f"each[{n}]") for n in range(3)]
    assert [step["path"] for item in items for step in item["steps"]] == [f"each[{n}].call" for n in range(3)]


def test_a_loop_over_nothing_succeeds_at_once(finish: Finish, target: Target) -> None:
    loop = foreach("each", "input.list", http("call", target.base + "/never"))
    after = transform("after", after=["each"], count="{{ size(steps.each.output) }}")
    run = finish(define(loop, after), {"list": []})
    assert (run["status"], step_of(run, "each")["output"]) == ("succeeded", [])
    assert step_of(run, "after")["output"] == {"count": 0}
    assert target.received() == []


@pytest.mark.parametrize(("written", "value"), [(2, 2), ("{{ input.n }}", 3)], ids=["number", "expression"])
def test_no_more_items_are_at_work_than_the_concurrency_allows(
    client: Client, publish_workflow: Publish, target: Target, written: Any, value: int
) -> None:
    target.plan("/slow", Reply(delay=0.2))
    loop = foreach("each", "input.list", http("call", target.base + "/slow"), concurrency=written)
    run = client.finish(publish_workflow(define(loop)).id, {"input": {"list": list(range(7)), "n": 3}})
    assert run["status"] == "succeeded"
    spans = [
        (step["attempts"][0]["started_at"], step["attempts"][0]["finished_at"])
        for item in items_of(client, run["id"])
        for step in item["steps"]
    ]
    at_once = [sum(begin <= moment < end for begin, end in spans) for moment, _ in spans]
    assert max(at_once) == value


def test_without_a_concurrency_all_items_are_at_work_at_once(finish: Finish, target: Target) -> None:
    # None of them is answered before all have come.
    target.gather("/slow", 30)
    run = finish(define(foreach("each", "input.list", http("call", target.base + "/slow"))), {"list": list(range(30))})
    assert run["status"] == "succeeded"
    assert len(target.received("/slow")) == 30


def test_the_next_item_begins_as_soon_as_one_is_done(client: Client, publish_workflow: Publish, target: Target) -> None:
    hold = target.hold("/0")
    loop = foreach("each", "[0, 1, 2, 3]", http("call", target.base + "/{{ item }}"), concurrency=2)
    run_id = client.start(publish_workflow(define(loop)).id)
    target.wait("/3")
    run = client.run(run_id)
    assert run["status"] == "running"
    assert items_of(client, run_id)[0]["status"] == "running"
    hold.released.set()
    assert client.wait_for_end(run_id)["status"] == "succeeded"


def test_by_default_a_failed_item_fails_the_loop_and_breaks_off_the_others(
    client: Client, publish_workflow: Publish, target: Target
) -> None:
    target.hold("/call/held")
    target.plan("/call/bad", Reply(status=404))
    calls = [
        http("call", target.base + "/call/{{ item }}", retry=ONCE),
        http("after", target.base + "/after", after=["call"]),
    ]
    rescue = transform("rescue", after=["each.error"], why="{{ steps.each.error }}")
    workflow = publish_workflow(define(foreach("each", "['held', 'bad', 'late']", *calls, concurrency=2), rescue))
    run = client.finish(workflow.id)
    each, error = step_of(run, "each"), step_of(run, "each")["error"]
    assert (run["status"], each["status"], each["reason"]) == ("succeeded", "failed", "item_failed")
    assert (error["code"], error["status"], error["details"]["index"]) == ("item_failed", 404, 1)
    assert error["details"]["error"]["code"] == "http_status"
    assert step_of(run, "rescue")["output"]["why"]["code"] == "item_failed"
    held, bad, late = items_of(client, run["id"])
    assert [item["status"] for item in (held, bad, late)] == ["cancelled", "failed", "cancelled"]
    assert {(step["status"], step["reason"]) for step in held["steps"]} == {("cancelled", "loop_failed")}
    assert [(step["status"], step["reason"]) for step in bad["steps"]] == [
        ("failed", "not_retryable"),
        ("cancelled", "item_failed"),
    ]
    assert {(step["status"], step["reason"]) for step in late["steps"]} == {("cancelled", "loop_failed")}
    assert target.received("/call/late") == []


def test_an_unhandled_failure_of_an_item_fails_the_run(finish: Finish) -> None:
    run = finish(define(foreach("each", "[1, 2, 3]", *fail_where("item == 2"))))
    assert (run["status"], run["reason"], run["error"]["step"]) == ("failed", "step_failed", "each")
    assert run["error"]["code"] == "item_failed"
    assert "no 2" in run["error"]["message"]


def test_with_continue_a_failed_item_gives_its_error_and_the_others_go_on(client: Client, finish: Finish) -> None:
    loop = foreach("each", "[1, 2, 3, 4]", *fail_where("item % 2 == 0"), concurrency=1, on_item_error="continue")
    run = finish(define(loop, transform("after", after=["each"], n="{{ size(steps.each.output) }}")))
    each = step_of(run, "each")
    assert (run["status"], each["status"], each["items"]) == (
        "succeeded",
        "succeeded",
        {"total": 4, "done": 4, "failed": 2},
    )
    first, second, third, fourth = each["output"]
    assert first == {"check": False, "refuse": None, "take": {"got": 1}}
    assert third["take"] == {"got": 3}
    assert second.keys() == fourth.keys() == {"error"}
    assert (second["error"]["code"], second["error"]["message"]) == ("fail_step", "no 2")
    assert [item["status"] for item in items_of(client, run["id"])] == ["succeeded", "failed"] * 2
    assert items_of(client, run["id"])[1]["error"]["message"] == "no 2"


def test_all_items_may_fail_and_the_loop_goes_on(finish: Finish) -> None:
    run = finish(define(foreach("each", "[1, 2]", *fail_where("true"), on_item_error="continue")))
    assert run["status"] == "succeeded"
    assert [result.keys() for result in step_of(run, "each")["output"]] == [{"error"}, {"error"}]


def test_a_failure_that_an_item_handles_is_none_of_the_loop(finish: Finish, target: Target) -> None:
    target.plan("/call", Reply(status=404))
    loop = foreach(
        "each",
        "[1]",
        http("call", target.base + "/call"),
        transform("rescue", after=["call.error"], status="{{ steps.call.error.status }}"),
    )
    run = finish(define(loop))
    assert (run["status"], step_of(run, "each")["items"]["failed"]) == ("succeeded", 0)
    assert step_of(run, "each")["output"] == [{"call": None, "rescue": {"status": 404}}]


def test_output_says_what_is_kept_of_each_item(finish: Finish) -> None:
    nested = transform("double", n="{{ item * 2 }}")
    output = {"n": "{{ steps.double.output.n }}", "of": "{{ item }} at {{ index }}", "all": "{{ input.list }}"}
    run = finish(define(foreach("each", "input.list", nested, output=output)), {"list": [5, 6]})
    assert step_of(run, "each")["output"] == [
        {"n": 10, "of": "5 at 0", "all": [5, 6]},
        {"n": 12, "of": "6 at 1", "all": [5, 6]},
    ]


@pytest.mark.parametrize("on_item_error", ["fail", "continue"])
def test_an_output_that_cannot_be_made_is_the_failure_of_its_item(finish: Finish, on_item_error: str) -> None:
    loop = foreach("each", "[1, 0]", transform("a"), output="{{ 10 / item }}", on_item_error=on_item_error)
    run = finish(define(loop))
    if on_item_error == "continue":
        first, second = step_of(run, "each")["output"]
        assert (run["status"], first, second["error"]["code"]) == ("succeeded", 10, "expression_error")
    else:
        assert (run["status"], step_of(run, "each")["error"]["details"]["index"]) == ("failed", 1)


def test_the_steps_of_an_item_retry_skip_join_and_wait_as_all_steps_do(
    client: Client, finish: Finish, target: Target
) -> None:
    target.plan("/flaky/1", Reply(status=503), Reply(value="at last"))
    retry = {"max_attempts": 2, "initial": 0.05, "jitter": False}
    loop = foreach(
        "each",
        "[0, 1]",
        http("call", target.base + "/flaky/{{ item }}", retry=retry),
        condition("odd", "item == 1", after=["call"]),
        delay("pause", 0.1, after=["odd.true"]),
        of_type("transform", "meet", {"values": {}}, after=["odd.false", "pause"], join="any"),
    )
    run = finish(define(loop))
    assert run["status"] == "succeeded"
    even, odd = items_of(client, run["id"])
    assert [step["status"] for step in even["steps"]] == ["succeeded", "succeeded", "skipped", "succeeded"]
    assert [step["status"] for step in odd["steps"]] == ["succeeded"] * 4
    assert [len(item["steps"][0]["attempts"]) for item in (even, odd)] == [1, 2]
    assert [len({request.key for request in target.received(f"/flaky/{n}")}) for n in (0, 1)] == [1, 1]


def test_loops_stand_in_each_other_and_the_inner_item_hides_the_outer(client: Client, finish: Finish) -> None:
    inner = foreach(
        "inner",
        "item.lines",
        transform("cell", text="{{ item }}/{{ index }}/{{ steps.row.output.name }}/{{ steps.before.output.x }}"),
        after=["row"],
        output="{{ steps.cell.output.text }}",
    )
    outer = foreach(
        "outer",
        "input.orders",
        transform("row", name="{{ item.name }}"),
        inner,
        after=["before"],
        output="{{ steps.inner.output }}",
    )
    orders = [{"name": "a", "lines": ["p", "q"]}, {"name": "b", "lines": ["r"]}]
    run = finish(define(transform("before", x="X"), outer), {"orders": orders})
    assert step_of(run, "outer")["output"] == [["p/0/a/X", "q/1/a/X"], ["r/0/b/X"]]
    rows = items_of(client, run["id"], "outer[0].inner")
    assert [row["path"] for row in rows] == ["outer[0].inner[0]", "outer[0].inner[1]"]
    assert rows[1]["steps"][0]["output"] == {"text": "q/1/a/X"}


@pytest.mark.parametrize(
    ("configuration", "given", "code", "words"),
    [
        ({"items": "input.list"}, {"list": {"a": 1}}, "invalid_config", "gave an object; it must give a list"),
        ({"items": "input.list"}, {"list": "text"}, "invalid_config", "gave a text; it must give a list"),
        ({"items": "input.list"}, {"list": None}, "invalid_config", "gave null; it must give a list"),
        ({"items": "input.gone"}, {"list": []}, "expression_error", "gone"),
        ({"items": "input.list", "concurrency": "{{ input.n }}"}, {"list": [1], "n": 0}, "invalid_config", "1 or more"),
        ({"items": "input.list", "concurrency": "{{ input.n }}"}, {"list": [1], "n": 1.5}, "invalid_config", "whole"),
    ],
    ids=["object", "text", "null", "unknown name", "no concurrency", "half an item"],
)
def test_a_loop_over_what_is_no_list_fails(
    finish: Finish, configuration: Document, given: Document, code: str, words: str
) -> None:
    items = configuration.pop("items")
    run = finish(define(foreach("each", items, transform("a"), **configuration)), given)
    each = step_of(run, "each")
    assert (run["status"], each["error"]["code"], each["reason"]) == ("failed", code, code)
    assert words in each["error"]["message"]


def test_a_loop_of_too_many_items_fails_and_says_how_many_it_takes(finish: Finish) -> None:
    run = finish(define(foreach("each", "input.list", transform("a"))), {"list": [0] * 100_001})
    error = step_of(run, "each")["error"]
    assert (error["code"], "100,001" in error["message"], "100,000" in error["message"]) == (
        "invalid_config",
        True,
        True,
    )


def test_a_large_loop_is_read_in_pages(client: Client, finish: Finish) -> None:
    run = finish(define(foreach("each", "input.list", transform("a", n="{{ item }}"))), {"list": list(range(250))})
    assert step_of(run, "each")["items"] == {"total": 250, "done": 250, "failed": 0}
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.read(f"/v1/runs/{run['id']}/steps", parent="each", limit=100, **cursor)
        seen += [item["steps"][0]["output"]["n"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == 100
        cursor = {"cursor": page["next_cursor"]}
    assert seen == list(range(250))
    # The run itself lists its top level alone.
    assert statuses_of(run) == {"each": "succeeded"}


@pytest.mark.parametrize("parent", ["nothing", "plain", "each[0].a", "each[99].inner", "each[x].inner", "[", "a" * 500])
def test_items_of_what_is_no_loop_cannot_be_read(client: Client, finish: Finish, parent: str) -> None:
    inner = foreach("inner", "[1]", transform("b"))
    run = finish(define(transform("plain"), foreach("each", "[1]", transform("a"), inner)))
    answer = client.http.get(f"/v1/runs/{run['id']}/steps", params={"parent": parent})
    code = "not_found" if answer.status_code == 404 else "invalid_request"
    assert_problem(answer, 404 if parent == "each[99].inner" else 400, code)


@pytest.mark.parametrize(
    ("loop", "pointer", "code"),
    [
        (of_type("foreach", "each", {"items": "[1]"}), "/steps/0/steps", "required"),
        (foreach("each", "", transform("a")), "/steps/0/with/items", "too_short"),
        (foreach("each", "[1", transform("a")), "/steps/0/with/items", "expression_syntax"),
        (foreach("each", "[1]", transform("a"), concurrency=0), "/steps/0/with/concurrency", "out_of_range"),
        (foreach("each", "[1]", transform("a"), on_item_error="skip"), "/steps/0/with/on_item_error", "invalid_choice"),
        (foreach("each", "[1]", transform("each")), "/steps/0/steps/0/id", "duplicate_step"),
        (foreach("each", "[1]", transform("a", after=["outside"])), "/steps/0/steps/0/after/0", "unknown_step"),
        (
            foreach("each", "[1]", transform("a", x="{{ steps.outside.output }}")),
            "/steps/0/steps/0/with/values/x",
            "not_upstream",
        ),
        (of_type("transform", "each", {"values": {}}, steps=[transform("a")]), "/steps/0/steps", "not_applicable"),
    ],
)
def test_a_faulty_loop_is_refused(client: Client, loop: Step, pointer: str, code: str) -> None:
    definition = define(loop, transform("outside"))
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert (pointer, code) in {(error["pointer"], error["code"]) for error in errors}, errors


def test_nested_steps_are_not_seen_from_outside(client: Client) -> None:
    definition = define(
        foreach("each", "[1]", transform("a")),
        transform("after", after=["each"], x="{{ steps.a.output }}", y="{{ item }}"),
    )
    errors = client.http.post("/v1/workflows/validate", json=definition).json()["errors"]
    assert {error["code"] for error in errors} == {"not_upstream", "unknown_name"}
