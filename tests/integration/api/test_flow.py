"""Hooks that hold their events back: what callers, receipts and changes of the trigger see of it."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from engine.infra.settings import Settings
from engine.relay.releaser import release_due
from tests.integration.api.callers import Api, Caller
from tests.integration.api.hooks import Hook, open_hook, read_ingest

DEBOUNCE = {"debounce": {"period": 3600}}


class Keeper:
    """Releases what is held, when the test says so."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def release(self) -> int:
        """Release until nothing is due; the runs that there are."""
        while await release_due(self.connection):
            pass
        count: int = await self.connection.fetchval("SELECT count(*) FROM run")
        return count

    async def pass_hours(self, hours: int) -> None:
        """Let time go by for what is held."""
        await self.connection.execute(
            "UPDATE held_group SET due_at = due_at - $1 * interval '1 h', last_at = last_at - $1 * interval '1 h', "
            "first_at = first_at - $1 * interval '1 h'",
            hours,
        )


@pytest.fixture
async def keeper(settings: Settings) -> AsyncIterator[Keeper]:
    opened = await asyncpg.connect(settings.database_url)
    yield Keeper(opened)
    await opened.close()


async def read_receipt(owner: Caller, event_id: str) -> dict[str, Any]:
    answer = await owner.client.get(f"/v1/events/{event_id}")
    receipt: dict[str, Any] = answer.raise_for_status().json()
    return receipt


async def test_a_held_event_is_accepted_without_a_run_and_gets_one_later(
    api: Api, owner: Caller, keeper: Keeper
) -> None:
    hook = await open_hook(api, owner, DEBOUNCE)
    answers = [await hook.post({"n": n}) for n in range(3)]
    assert [(answer.status_code, answer.json()["run_id"]) for answer in answers] == [(202, None)] * 3
    ids = [answer.json()["event_id"] for answer in answers]
    receipt = await read_receipt(owner, ids[0])
    assert (receipt["outcome"], receipt["run_id"]) == ("pending", None)
    assert receipt["due_at"] > receipt["received_at"]
    listed = (await owner.client.get("/v1/events", params={"outcome": "pending"})).json()["items"]
    assert [item["id"] for item in listed] == ids[::-1]
    assert await keeper.release() == 0
    await keeper.pass_hours(2)
    assert await keeper.release() == 1
    receipts = [await read_receipt(owner, event_id) for event_id in ids]
    assert {receipt["outcome"] for receipt in receipts} == {"started"}
    (run_id,) = {receipt["run_id"] for receipt in receipts}
    run = (await owner.client.get(f"/v1/runs/{run_id}")).raise_for_status().json()
    assert run["trigger"]["body"] == {"n": 2}
    assert (await read_ingest(owner))["started"] == 3


async def test_the_run_of_a_batch_shows_all_its_events(api: Api, owner: Caller, keeper: Keeper) -> None:
    hook = await open_hook(api, owner, {"batch": {"size": 2, "period": 3600}})
    for n in range(2):
        await hook.post({"n": n}, x_number=str(n))
    assert await keeper.release() == 1
    run_id = (await owner.client.get("/v1/runs")).json()["items"][0]["id"]
    trigger = (await owner.client.get(f"/v1/runs/{run_id}")).json()["trigger"]
    assert trigger["type"] == "webhook"
    assert [event["body"] for event in trigger["events"]] == [{"n": 0}, {"n": 1}]
    assert [event["headers"]["x-number"] for event in trigger["events"]] == ["0", "1"]


async def test_a_repeat_of_a_held_event_is_told_of_the_run_once_there_is_one(
    api: Api, owner: Caller, keeper: Keeper
) -> None:
    hook = await open_hook(api, owner, DEBOUNCE)
    first, second = await hook.post({}, webhook_id="a"), await hook.post({}, webhook_id="a")
    assert (first.status_code, second.status_code) == (202, 200)
    repeat = second.json()["event_id"]
    receipt = await read_receipt(owner, repeat)
    assert (receipt["outcome"], receipt["run_id"]) == ("duplicate", None)
    await keeper.pass_hours(2)
    await keeper.release()
    run_id = (await read_receipt(owner, first.json()["event_id"]))["run_id"]
    assert run_id is not None
    assert (await read_receipt(owner, repeat))["run_id"] == run_id
    third = await hook.post({}, webhook_id="a")
    assert (third.status_code, third.json()["run_id"]) == (200, run_id)


async def test_without_its_rule_a_trigger_starts_at_once_what_it_held(api: Api, owner: Caller, keeper: Keeper) -> None:
    hook = await open_hook(api, owner, DEBOUNCE)
    await hook.post()
    await hook.change(config={})
    assert await keeper.release() == 1
    assert (await hook.post()).json()["run_id"] is not None


async def test_a_trigger_that_is_switched_off_keeps_what_it_accepted_until_it_is_on_again(
    api: Api, owner: Caller, keeper: Keeper
) -> None:
    hook = await open_hook(api, owner, DEBOUNCE)
    await hook.post()
    await hook.change(enabled=False)
    await keeper.pass_hours(2)
    assert await keeper.release() == 0
    assert (await read_ingest(owner))["pending"] == 1
    await hook.change(enabled=True)
    assert await keeper.release() == 1


@pytest.mark.parametrize("what", ["trigger", "workflow"])
async def test_what_a_deleted_trigger_held_is_filtered(api: Api, owner: Caller, keeper: Keeper, what: str) -> None:
    hook = await open_hook(api, owner, DEBOUNCE)
    event_id = (await hook.post()).json()["event_id"]
    path = f"/v1/triggers/{hook.trigger_id}" if what == "trigger" else f"/v1/workflows/{hook.workflow_id}"
    (await owner.client.delete(path)).raise_for_status()
    assert await keeper.release() == 0
    receipt = await read_receipt(owner, event_id)
    assert (receipt["outcome"], receipt["reason"]) == ("filtered", f"{what}_deleted")
    ingest = await read_ingest(owner)
    assert (ingest["accepted"], ingest["filtered"], ingest["drift"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"throttle": {"limit": 0, "per": 1}}, "/config/throttle/limit"),
        ({"throttle": {"limit": 1}}, "/config/throttle"),
        ({"throttle": {"limit": 1, "per": 0}}, "/config/throttle/per"),
        ({"debounce": {"period": 10_000_000}}, "/config/debounce/period"),
        ({"debounce": {"period": 1, "limit": 1}}, "/config/debounce"),
        ({"batch": {"size": 1001, "period": 1}}, "/config/batch/size"),
        ({"batch": {"size": 2, "period": 1, "key": "trigger.body +"}}, "/config/batch/key"),
        ({"batch": {"size": 2, "period": 1, "key": "steps.a.output"}}, "/config/batch/key"),
        ({"batch": {"size": 2, "period": 1}, "debounce": {"period": 1}}, "/config/batch"),
        ({"batch": {"size": 2, "period": 1}, "respond": "sync"}, "/config/respond"),
    ],
    ids=str,
)
async def test_a_rule_that_cannot_be_kept_is_refused_with_its_place(
    api: Api, owner: Caller, config: dict[str, Any], pointer: str
) -> None:
    hook = await open_hook(api, owner)
    answer = await owner.client.patch(f"/v1/triggers/{hook.trigger_id}", json={"config": config})
    assert answer.status_code == httpx.codes.BAD_REQUEST, answer.text
    assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}


async def test_an_event_whose_key_cannot_be_made_is_refused_and_not_held(api: Api, owner: Caller) -> None:
    hook: Hook = await open_hook(api, owner, {"debounce": {"period": 60, "key": "trigger.body.customer.id"}})
    assert (await hook.post({"customer": {"id": 7}})).status_code == httpx.codes.ACCEPTED
    answer = await hook.post({"customer": None})
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["errors"][0]["code"] == "key_failed"
    assert (await read_ingest(owner))["accepted"] == 1


@pytest.mark.parametrize(
    ("faulty", "code", "mended"),
    [
        ({"dedup_key": "trigger.body.typo"}, "dedup_key_failed", {"dedup_key": "trigger.body.id"}),
        ({"debounce": {"period": 60, "key": "trigger.body.typo"}}, "key_failed", {}),
    ],
    ids=["dedup_key", "debounce"],
)
async def test_a_mended_expression_holds_from_the_next_event_on(
    api: Api, owner: Caller, faulty: dict[str, Any], code: str, mended: dict[str, Any]
) -> None:
    hook = await open_hook(api, owner, faulty)
    refused = await hook.post({"id": 7})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (httpx.codes.BAD_REQUEST, code)
    await hook.change(config=mended)
    assert (await hook.post({"id": 7})).status_code == httpx.codes.ACCEPTED
    await hook.change(config=faulty)
    await hook.change(enabled=False)
    assert (await hook.post({"id": 8})).status_code == httpx.codes.NOT_FOUND


async def test_an_expression_of_a_hook_has_little_to_spend(api: Api, owner: Caller) -> None:
    greedy = "trigger.body.all(a, trigger.body.all(b, trigger.body.all(c, a + b + c >= 0)))"
    hook = await open_hook(api, owner, {"dedup_key": greedy})
    answer = await hook.post(list(range(100)))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (httpx.codes.BAD_REQUEST, "dedup_key_failed")
    assert (await hook.post([1, 2, 3])).status_code == httpx.codes.ACCEPTED
