"""Expressions tried out, in a context and in runs whose journals are written here."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from app.auth.permissions import Role
from app.auth.principal import Principal
from app.errors import ExpressionRefused
from app.trials.schemas import Context, EvaluateRequest
from engine.core.events import (
    ErrorInfo,
    PayloadRef,
    RunEvent,
    RunStarted,
    RunSucceeded,
    StepFailed,
    StepStarted,
    StepSucceeded,
    encode_event,
    event_type,
)
from engine.infra.ids import new_id
from tests.integration.api.callers import Api, Caller

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def gave(step: str, output: Any, **more: Any) -> StepSucceeded:
    return StepSucceeded(at=AT, step=step, output=output, attempt=1, **more)


STARTED = RunStarted(at=AT, deadline_at=AT, vars={"region": "north"})


async def evaluate(caller: Caller, expression: str, **more: Any) -> httpx.Response:
    return await caller.client.post("/v1/expressions/evaluate", json={"expression": expression, **more})


async def value_of(caller: Caller, expression: str, **more: Any) -> Any:
    answer = await evaluate(caller, expression, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


async def refusal_of(caller: Caller, expression: str, **more: Any) -> dict[str, Any]:
    answer = await evaluate(caller, expression, **more)
    assert answer.status_code == 422, answer.text
    problem: dict[str, Any] = answer.json()
    assert (problem["code"], problem["status"]) == ("expression_error", 422)
    return problem


async def record_run(caller: Caller, database_url: str, steps: list[dict[str, Any]], *events: RunEvent) -> str:
    """The id of a run of these steps with this journal after its first event; large outputs become payloads."""
    definition = {"schema": 1, "steps": steps}
    made = (await caller.client.post("/v1/workflows", json={"name": "Orders", "definition": definition})).json()
    assert made["problems"] == []
    (await caller.client.post(f"/v1/workflows/{made['id']}/publish")).raise_for_status()
    started = await caller.client.post(f"/v1/workflows/{made['id']}/runs", json={"input": {"limit": 3}})
    run_id: str = started.json()["run_id"]
    connection = await asyncpg.connect(database_url)
    try:
        for seq, event in enumerate(events, start=2):
            await connection.execute(
                "INSERT INTO journal (run_id, seq, kind, at, payload) VALUES ($1, $2, $3, $4, $5)",
                UUID(run_id),
                seq,
                event_type(event),
                event.at,
                encode_event(event),
            )
    finally:
        await connection.close()
    return run_id


async def store_output(database_url: str, run_id: str, ref: str, output: Any) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        statement = "INSERT INTO payload (run_id, id, data) VALUES ($1, $2, $3)"
        await connection.execute(statement, UUID(run_id), UUID(ref), msgspec.json.encode(output))
    finally:
        await connection.close()


def http(step_id: str, url: str = "https://shop.example/", **more: Any) -> dict[str, Any]:
    return {"id": step_id, "type": "http", "with": {"method": "GET", "url": url}, **more}


LOOP = {
    "id": "each",
    "type": "foreach",
    "after": ["fetch"],
    "with": {"items": "steps.fetch.output.orders"},
    "steps": [http("get", "https://shop.example/{{ item.id }}"), http("tell", after=["get"])],
}
LOOP_EVENTS: tuple[RunEvent, ...] = (
    STARTED,
    gave("fetch", {"orders": [{"id": 7}, {"id": 8}], "by": "Olga"}),
    StepStarted(at=AT, step="each", attempt=0, started_at=AT, reason="items", items=2),
    gave("each[1].get", "eight"),
    gave("each[0].get", "seven"),
    gave("each[0].tell", 1),
    gave("each[1].tell", 2),
    gave("each", [{"get": "seven", "tell": 1}, {"get": "eight", "tell": 2}], reason="items_done"),
    RunSucceeded(at=AT, output=None, reason="completed"),
)


@pytest.mark.parametrize(
    ("expression", "value", "kind"),
    [
        ("1 + 2", 3, "int"),
        ("steps.fetch.output.total * 1.5", 15.0, "double"),
        ("steps.fetch.status", "succeeded", "string"),
        ("steps.fetch.error", None, "null"),
        ("[item, index]", [{"id": 7}, 4], "list"),
        ("input", {"a": [1]}, "map"),
        ("trigger.type == 'manual' && vars.region == 'north'", True, "bool"),
        ("{{ steps.fetch.output.total }}", 10, "int"),
        ("Order {{ item.id }} of {{ input }}", 'Order 7 of {"a":[1]}', "string"),
        ("timestamp('2026-11-23T09:00:00Z')", "2026-11-23T09:00:00Z", "string"),
    ],
)
async def test_an_expression_sees_the_given_context(owner: Caller, expression: str, value: Any, kind: str) -> None:
    context = {
        "steps": {"fetch": {"output": {"total": 10}}},
        "input": {"a": [1]},
        "vars": {"region": "north"},
        "item": {"id": 7},
        "index": 4,
    }
    answer = await evaluate(owner, expression, context=context)
    assert (answer.status_code, answer.json()) == (200, {"value": value, "type": kind})


async def test_without_a_context_the_names_of_every_run_are_there(owner: Caller) -> None:
    assert await value_of(owner, "[trigger.body, input, vars, run.attempt, workflow.name]") == [None, {}, {}, 1, None]
    assert (await refusal_of(owner, "item"))["kind"] == "unknown_name"


@pytest.mark.parametrize(
    ("expression", "kind", "position", "shown"),
    [
        ("1 + ", "expression_syntax", 4, "1 + "),
        ("1 + nothing", "unknown_name", 4, "1 + nothing"),
        ("Total: {{ input.total }}", "no_such_field", 6, "input.total"),
        ("Total: {{ 1 +", "expression_syntax", 0, "1 +"),
        ("1 + 'a'", "type_error", 2, "1 + 'a'"),
        ("1 / 0", "division_by_zero", 2, "1 / 0"),
        ("", "expression_syntax", 0, ""),
    ],
)
async def test_a_fault_is_told_with_its_place(
    owner: Caller, expression: str, kind: str, position: int, shown: str
) -> None:
    problem = await refusal_of(owner, expression)
    assert (problem["kind"], problem["position"], problem["expression"]) == (kind, position, shown)
    assert problem["message"]
    assert problem["message"] in problem["detail"]


async def test_numbers_pass_through_whatever_their_size(owner: Caller) -> None:
    body = '{"expression": "input", "context": {"input": [123456789012345678901234567890, 1e300]}}'
    headers = {"content-type": "application/json"}
    answer = await owner.client.post("/v1/expressions/evaluate", content=body, headers=headers)
    assert answer.json() == {"value": [123456789012345678901234567890, 1e300], "type": "list"}


async def test_a_trigger_of_no_known_type_is_refused(owner: Caller) -> None:
    answer = await evaluate(owner, "1", context={"trigger": {"type": "moon"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_test")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/context/trigger/type"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/expression"),
        ({"expression": 1}, "/expression"),
        ({"expression": "1", "context": {"steps": {"a": {"outputs": 1}}}}, "/context"),
        ({"expression": "1", "context": {"secrets": {}}}, "/context"),
        ({"expression": "1", "run_id": "x"}, "/run_id"),
        ({"expression": "1", "run_id": str(uuid4()), "context": {}}, "/context"),
        ({"expression": "1", "step": "a"}, "/step"),
        ({"expression": "1", "run_id": str(uuid4()), "step": "a[x].b"}, "/step"),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(owner: Caller, body: dict[str, Any], pointer: str) -> None:
    answer = await owner.client.post("/v1/expressions/evaluate", json=body)
    assert answer.status_code == 400
    assert any(error["pointer"].startswith(pointer) for error in answer.json()["errors"]), answer.text


async def test_a_run_shows_the_names_that_its_steps_see(owner: Caller, database_url: str) -> None:
    error = ErrorInfo(code="http_status", message="it answered 500", status=500)
    run_id = await record_run(
        owner,
        database_url,
        [http("fetch"), http("tell", after=["fetch"])],
        STARTED,
        gave("fetch", {"total": 10}),
        StepFailed(at=AT, step="tell", error=error, attempt=1, reason="not_retryable"),
    )
    expression = "[steps.fetch.output.total > input.limit, steps.tell.error.status, vars.region, run.id, trigger.type]"
    assert await value_of(owner, expression, run_id=run_id) == [True, 500, "north", run_id, "api"]
    assert await value_of(owner, "steps.tell.status", run_id=run_id, step="tell") == "failed"
    problem = await refusal_of(owner, "steps.other.output", run_id=run_id)
    assert (problem["kind"], problem["position"]) == ("no_such_field", 6)


async def test_a_step_of_an_iteration_sees_its_item_although_the_loop_is_over(owner: Caller, database_url: str) -> None:
    run_id = await record_run(owner, database_url, [http("fetch"), LOOP], *LOOP_EVENTS)
    expression = "[item.id, index, steps.get.output, steps.fetch.output.by]"
    assert await value_of(owner, expression, run_id=run_id, step="each[0].tell") == [7, 0, "seven", "Olga"]
    assert await value_of(owner, expression, run_id=run_id, step="each[1].get") == [8, 1, "eight", "Olga"]
    assert await value_of(owner, "steps.each.output[1].get", run_id=run_id) == "eight"
    assert (await refusal_of(owner, "item", run_id=run_id))["kind"] == "unknown_name"
    for path in (
        "each[2].get",
        "each.get",
        "each[0].none",
        "nowhere",
        "fetch[0]",
        "fetch[0].get",
        f"each[{'9' * 6}].get",
    ):
        answer = await evaluate(owner, "1", run_id=run_id, step=path)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_step"), path


async def test_an_iteration_that_has_not_begun_shows_its_item(owner: Caller, database_url: str) -> None:
    run_id = await record_run(owner, database_url, [http("fetch"), LOOP], *LOOP_EVENTS[:3])
    assert await value_of(owner, "item.id", run_id=run_id, step="each[1].get") == 8
    assert (await refusal_of(owner, "steps.get.output", run_id=run_id, step="each[1].tell"))["kind"] == "no_such_field"


async def test_in_a_loop_within_a_loop_the_inner_names_win(owner: Caller, database_url: str) -> None:
    inner = {"id": "inner", "type": "foreach", "after": ["one"], "with": {"items": "item.rows"}, "steps": [http("two")]}
    outer: dict[str, Any] = {
        "id": "outer",
        "type": "foreach",
        "with": {"items": "[{'rows': ['a']}, {'rows': ['b', 'c']}]"},
    }
    outer["steps"] = [http("one"), inner]

    def items(step: str, count: int) -> StepStarted:
        return StepStarted(at=AT, step=step, attempt=0, started_at=AT, reason="items", items=count)

    run_id = await record_run(
        owner,
        database_url,
        [outer],
        STARTED,
        items("outer", 2),
        gave("outer[1].one", 1),
        gave("outer[0].one", 0),
        items("outer[1].inner", 2),
        gave("outer[1].inner[1].two", "c2"),
        gave("outer[1].inner[0].two", "b2"),
        gave("outer[1].inner", [{"two": "b2"}, {"two": "c2"}], reason="items_done"),
    )
    path = "outer[1].inner[1].two"
    assert await value_of(owner, "[item, index, steps.one.output]", run_id=run_id, step=path) == ["c", 1, 1]
    assert await value_of(owner, "steps.two.output", run_id=run_id, step=path) == "c2"
    names = "[size(item.rows), index, steps.one.output]"
    assert await value_of(owner, names, run_id=run_id, step="outer[1].one") == [2, 1, 1]
    assert await value_of(owner, names, run_id=run_id, step="outer[0].inner") == [1, 0, 0]
    assert (await evaluate(owner, "1", run_id=run_id, step="outer[0].inner[0].two")).status_code == 400


async def test_large_outputs_are_loaded_where_the_expression_names_them(owner: Caller, database_url: str) -> None:
    named, other = str(new_id()), str(new_id())

    def large(step: str, ref: str) -> StepSucceeded:
        return gave(step, None, output_ref=PayloadRef(ref=ref, size=70_000, preview="{"))

    loop = {**LOOP, "after": ["fetch", "other"]}
    events = (STARTED, large("other", other), large("fetch", named), *LOOP_EVENTS[2:])
    run_id = await record_run(owner, database_url, [http("fetch"), http("other"), loop], *events)
    await store_output(database_url, run_id, named, {"orders": [{"id": 7}, {"id": 8}], "filling": "x" * 70_000})
    # The other one is gone: only who names it can tell.
    assert await value_of(owner, "size(steps.fetch.output.filling)", run_id=run_id) == 70_000
    assert await value_of(owner, "[item.id, steps.get.output]", run_id=run_id, step="each[0].tell") == [7, "seven"]
    problem = await refusal_of(owner, "steps.other.output", run_id=run_id)
    assert "'other'" in problem["message"]
    assert "'other'" in (await refusal_of(owner, "steps['oth' + 'er'].output", run_id=run_id))["message"]


async def test_runs_of_other_workspaces_are_not_found(api: Api, owner: Caller, database_url: str) -> None:
    run_id = await record_run(owner, database_url, [http("fetch")], STARTED)
    stranger = await api.sign_in(Role.OWNER)
    assert (await evaluate(stranger, "1", run_id=run_id)).status_code == 404
    assert (await evaluate(owner, "1", run_id=str(uuid4()))).status_code == 404


async def test_everybody_who_may_read_runs_may_evaluate(api: Api, owner: Caller, anonymous: httpx.AsyncClient) -> None:
    viewer = await api.sign_in(Role.VIEWER, owner.workspace_id)
    assert await value_of(viewer, "1 + 1") == 2
    assert (await anonymous.post("/v1/expressions/evaluate", json={"expression": "1"})).status_code == 401


@pytest.fixture
def short_slices() -> Iterator[None]:
    """Threads take turns every tenth of a millisecond: of the usual 5 ms, a quick machine needs too few to count."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("short_slices")
async def test_a_long_evaluation_ends_with_its_budget_and_leaves_the_event_loop_to_others(api: Api) -> None:
    nobody = Principal(user_id=uuid4(), workspace_id=uuid4(), session_id=uuid4(), role=Role.VIEWER)
    request = EvaluateRequest(
        expression="input.all(a, input.all(b, a + b >= 0))", context=Context(input=list(range(1000)))
    )
    evaluating = asyncio.create_task(api.app.state.evaluator.evaluate(nobody, request))
    turns = 0
    while not evaluating.done():
        await asyncio.sleep(0)
        turns += 1
    with pytest.raises(ExpressionRefused) as refused:
        await evaluating
    assert refused.value.members["kind"] == "budget_exceeded"
    # Within the event loop it would be a handful: its few waits are for threads.
    assert turns > 50
