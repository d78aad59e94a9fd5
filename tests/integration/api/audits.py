"""Reading the audit log, for tests of what is entered and of what becomes of it."""

from typing import Any

from tests.integration.api.callers import Caller

PATH = "/v1/audit"


async def read(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    """The first page of entries that fit, the newest first."""
    answer = await caller.client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def verify(caller: Caller, **query: Any) -> dict[str, Any]:
    """Whether the chain is whole, as the API finds it."""
    answer = await caller.client.get(f"{PATH}/verify", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def list_actions(caller: Caller, **query: Any) -> list[str]:
    """The actions, the newest first. Some calls are made again where their answer was lost, and then done again."""
    return list(dict.fromkeys(entry["action"] for entry in await read(caller, **query)))


async def find(caller: Caller, action: str) -> dict[str, Any]:
    """The newest entry of an action."""
    return (await read(caller, action=action))[0]


async def set_variable(caller: Caller, name: str, value: Any) -> None:
    """Do something that is entered."""
    (await caller.client.put(f"/v1/vars/{name}", json={"value": value})).raise_for_status()
