"""What looks like a number in a text from outside, and is none or too long for one: never a fault of ours."""

from typing import Any

import pytest

from engine.infra.ids import new_id
from tests.integration.api.callers import Api, Caller
from tests.integration.api.hooks import open_hook

NAMES = ["²", "1" * 5000]


@pytest.mark.parametrize("name", NAMES, ids=["power", "long"])
async def test_a_definition_with_a_field_named_so_has_a_fault(owner: Caller, name: str) -> None:
    definition: dict[str, Any] = {"schema": 1, "steps": [], name: 1}
    checked = await owner.client.post("/v1/workflows/validate", json=definition)
    assert (checked.status_code, [each["pointer"] for each in checked.json()["errors"]]) == (200, [f"/{name}"])
    made = await owner.client.post("/v1/workflows", json={"name": "x", "definition": definition})
    assert (made.status_code, made.json()["problems"][0]["pointer"]) == (201, f"/{name}"), made.text
    path = f"/v1/workflows/{made.json()['id']}"
    changed = await owner.client.patch(
        path, json={"definition": definition}, headers={"if-match": made.headers["etag"]}
    )
    assert changed.status_code == 200, changed.text
    assert (await owner.client.post(f"{path}/publish")).status_code == 422
    file = {"flowforge": 1, "name": "y", "definition": definition}
    imported = await owner.client.post("/v1/workflows/import", json=file)
    assert imported.status_code < 500, imported.text


async def test_a_length_of_very_many_digits_is_a_length(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner)
    answer = await api.client().post(hook.path, content=b"{}", headers={"content-length": "0" * 5000 + "2"})
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("last_id", ["9" * 5000, "²", "0" * 5000])
async def test_a_last_event_that_there_cannot_be_leads_nowhere(owner: Caller, last_id: str) -> None:
    headers = {b"last-event-id": last_id.encode()}
    answer = await owner.client.get(f"/v1/runs/{new_id()}/stream", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("window", ["24h\n", "²h", "٣h"])
async def test_a_window_that_is_none_is_refused(owner: Caller, window: str) -> None:
    answer = await owner.client.get("/v1/stats", params={"window": window})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), answer.text
