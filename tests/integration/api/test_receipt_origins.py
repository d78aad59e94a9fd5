"""A receipt tells which trigger received the event and what that starts, for as long as both are there."""

from typing import Any

from tests.integration.api.callers import Api, Caller
from tests.integration.api.hooks import open_hook

_ORIGIN = ("trigger_id", "trigger_type", "workflow_id", "workflow_name")


async def read_both_ways(owner: Caller, event_id: str) -> tuple[Any, ...]:
    """Where an event came in, as its receipt tells it by itself and in the list."""
    alone = (await owner.client.get(f"/v1/events/{event_id}")).raise_for_status().json()
    listed = (await owner.client.get("/v1/events")).raise_for_status().json()["items"]
    assert alone in listed
    return tuple(alone[name] for name in _ORIGIN)


async def test_a_receipt_names_the_kind_and_the_workflow_of_its_trigger(api: Api, owner: Caller) -> None:
    one, other = await open_hook(api, owner), await open_hook(api, owner, {"filter": "false"})
    renamed = await owner.client.patch(
        f"/v1/workflows/{other.workflow_id}", json={"name": "Returns"}, headers={"if-match": "*"}
    )
    renamed.raise_for_status()
    for hook, name in ((one, "Orders"), (other, "Returns")):
        event_id = (await hook.post({})).json()["event_id"]
        expected = (hook.trigger_id, "webhook", hook.workflow_id, name)
        assert await read_both_ways(owner, event_id) == expected


async def test_once_the_trigger_is_deleted_its_receipts_name_it_by_its_id_alone(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner)
    event_id = (await hook.post({})).json()["event_id"]
    (await owner.client.delete(f"/v1/triggers/{hook.trigger_id}")).raise_for_status()
    assert await read_both_ways(owner, event_id) == (hook.trigger_id, None, None, None)


async def test_once_the_workflow_is_deleted_its_receipts_lead_nowhere(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner)
    event_id = (await hook.post({})).json()["event_id"]
    (await owner.client.delete(f"/v1/workflows/{hook.workflow_id}")).raise_for_status()
    assert await read_both_ways(owner, event_id) == (hook.trigger_id, None, None, None)
