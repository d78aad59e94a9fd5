"""Large outputs: a preview where they are shown, the whole where it is asked for."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from engine.core.events import PayloadRef, RunEvent, RunQueued, RunStarted, RunSucceeded
from engine.infra.ids import new_id
from tests.integration.api.callers import Caller
from tests.integration.api.histories import Histories, at, queued, started, succeeded

DEFINITION = {
    "steps": [
        {"id": "fetch", "type": "transform", "with": {"values": 1}},
        {"id": "use", "type": "transform", "with": {"values": "{{ steps.fetch.output }}"}, "after": ["fetch"]},
    ]
}
LARGE = {"text": "é" * 40_000}
LARGE_JSON = msgspec.json.encode(LARGE)


@pytest.fixture
def histories(clean_database: str, owner: Caller) -> Histories:
    return Histories(clean_database, owner)


async def keep_large(histories: Histories) -> tuple[str, str]:
    """A run whose outputs lie in a payload: its id and the payload's."""
    ref = PayloadRef(ref=str(new_id()), size=len(LARGE_JSON), preview='{"text":"é')
    events: list[RunEvent] = [
        queued(),
        started(),
        succeeded("fetch", output_ref=ref),
        succeeded("use", output={"small": 1}),
        RunSucceeded(at=at(2), output=None, reason="completed", output_ref=ref),
    ]
    run_id = await histories.keep(DEFINITION, events, status="succeeded")
    await histories.execute(
        "INSERT INTO payload (run_id, id, data) VALUES ($1, $2, $3)", UUID(run_id), UUID(ref.ref), LARGE_JSON
    )
    return run_id, ref.ref


async def test_a_large_output_is_shown_by_its_beginning(histories: Histories) -> None:
    run_id, ref = await keep_large(histories)
    shown = {"preview": '{"text":"é', "size": len(LARGE_JSON), "ref": ref}
    run = await histories.read(f"/v1/runs/{run_id}")
    assert run["output"] == shown
    assert [step["output"] for step in run["steps"]] == [shown, {"small": 1}]
    # It is not loaded to show what was made of it.
    assert run["steps"][1]["input"] == {"values": "{{ steps.fetch.output }}"}
    events = (await histories.read(f"/v1/runs/{run_id}/events"))["items"]
    told: list[Any] = [event["data"].get("output") for event in events]
    assert told == [None, None, shown, {"small": 1}, shown]
    assert not any("output_ref" in event["data"] for event in events)


async def test_a_large_output_is_given_whole_and_for_good(histories: Histories, owner: Caller) -> None:
    run_id, ref = await keep_large(histories)
    path = f"/v1/runs/{run_id}/payloads/{ref}"
    answer = await owner.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.content == LARGE_JSON
    assert answer.headers["content-length"] == str(len(LARGE_JSON))
    assert answer.headers["cache-control"] == "no-store", "nobody who signs in later finds it in the browser"
    known = await owner.client.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    other = await owner.client.get(path, headers={"if-none-match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "ref",
    [
        "0",
        "1",
        "2",
        "5",
        "99",
        "2.input",
        "3.input",
        "99.input",
        "1.at",
        "1.vars",
        "1.",
        "1.input.0",
        "99999999999999999999",
        "x",
        "%EF%BC%91",
        str(new_id()),
    ],
)
async def test_what_is_no_large_output_is_not_found(histories: Histories, owner: Caller, ref: str) -> None:
    run_id, _ = await keep_large(histories)
    answer = await owner.client.get(f"/v1/runs/{run_id}/payloads/{ref}")
    assert answer.status_code == 404, answer.text


async def test_a_payload_belongs_to_its_run(histories: Histories, owner: Caller) -> None:
    _, ref = await keep_large(histories)
    another, _ = await keep_large(histories)
    assert (await owner.client.get(f"/v1/runs/{another}/payloads/{ref}")).status_code == 404


async def test_a_large_output_within_the_journal_has_a_preview_too(histories: Histories, owner: Caller) -> None:
    events: list[RunEvent] = [queued(), started(), succeeded("fetch", output=LARGE)]
    run_id = await histories.keep(DEFINITION, events)
    run = await histories.read(f"/v1/runs/{run_id}")
    output = run["steps"][0]["output"]
    assert (output["size"], output["ref"], len(output["preview"])) == (len(LARGE_JSON), "3", 1000)
    assert LARGE_JSON.decode().startswith(output["preview"])
    assert (await owner.client.get(f"/v1/runs/{run_id}/payloads/3")).json() == LARGE
    # What was made of it is cut as well.
    assert run["steps"][1]["input"]["ref"] is None
    assert (await histories.read(f"/v1/runs/{run_id}/events"))["items"][2]["data"]["output"] == output


async def test_what_a_run_was_given_has_a_preview_in_its_events(histories: Histories, owner: Caller) -> None:
    given: dict[str, Any] = {
        "trigger": {"type": "webhook", "body": LARGE},
        "input": [LARGE, 1],
        "mocks": {"fetch": LARGE},
    }
    queued_large = RunQueued(at=at(0), workflow={}, reason="accepted", preset={"vars": {"a": 1}}, **given)
    variables = {"text": LARGE}
    started_large = RunStarted(at=at(1), deadline_at=at(100), vars=variables)
    run_id = await histories.keep(DEFINITION, [queued_large, started_large])
    (event, start) = (await histories.read(f"/v1/runs/{run_id}/events"))["items"]
    assert (start["data"]["vars"]["ref"], start["data"]["vars"]["size"]) == ("2.vars", len(LARGE_JSON) + 9)
    answer = await owner.client.get(f"/v1/runs/{run_id}/payloads/2.vars")
    assert (answer.status_code, answer.json()) == (200, variables)
    assert event["data"]["preset"] == {"vars": {"a": 1}}, "small values are shown whole"
    for field, value in given.items():
        shown = event["data"][field]
        assert (set(shown), shown["ref"]) == ({"preview", "size", "ref"}, f"1.{field}")
        answer = await owner.client.get(f"/v1/runs/{run_id}/payloads/{shown['ref']}")
        assert (answer.status_code, len(answer.content), answer.json()) == (200, shown["size"], value)
        assert answer.text.startswith(shown["preview"])
    # The run itself is read one at a time, and shows what it was given.
    assert (await histories.read(f"/v1/runs/{run_id}"))["input"] == given["input"]


async def test_lists_hold_no_payloads(histories: Histories) -> None:
    await keep_large(histories)
    (item,) = (await histories.read("/v1/runs"))["items"]
    assert not {"input", "output", "trigger", "steps"} & item.keys()
