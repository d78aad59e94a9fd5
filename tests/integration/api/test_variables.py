"""Variables over the API: any JSON by name, bounded, of one workspace alone."""

from typing import Any

import pytest

from app.auth.permissions import Role
from tests.integration.api.callers import Api, Caller


async def put(caller: Caller, name: str, value: Any) -> int:
    return (await caller.client.put(f"/v1/vars/{name}", json={"value": value})).status_code


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "text", "\0", ["a", {"b": None}], {"z": 1, "a": 2}])
async def test_a_variable_is_any_json(owner: Caller, value: Any) -> None:
    assert await put(owner, "region", value) == 201
    read = (await owner.client.get("/v1/vars/region")).json()
    assert (read["name"], read["value"], read["updated_by"]) == ("region", value, str(owner.user_id))


async def test_a_variable_is_changed_listed_and_deleted(owner: Caller) -> None:
    assert [await put(owner, name, name) for name in ("b", "a", "b")] == [201, 201, 200]
    listed = (await owner.client.get("/v1/vars")).json()
    assert [(item["name"], item["value"]) for item in listed["items"]] == [("a", "a"), ("b", "b")]
    assert listed["next_cursor"] is None
    assert (await owner.client.delete("/v1/vars/a")).status_code == 204
    assert (await owner.client.get("/v1/vars/a")).status_code == 404
    assert (await owner.client.delete("/v1/vars/a")).status_code == 404


@pytest.mark.parametrize("name", ["1st", "a-b", "a" * 64, "ä", "%00", "a.b"])
async def test_a_name_that_no_expression_could_read_is_refused(owner: Caller, name: str) -> None:
    answer = await owner.client.put(f"/v1/vars/{name}", json={"value": 1})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/value", "required"),
        ({"value": 1, "secret": True}, "/secret", "unknown_field"),
        ({"value": "x" * 65_535}, "/value", "length"),
    ],
)
async def test_what_is_wrong_with_a_value_is_told(owner: Caller, body: Any, pointer: str, code: str) -> None:
    answer = await owner.client.put("/v1/vars/region", json=body)
    assert answer.status_code == 400, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


async def test_all_of_a_workspace_together_are_bounded(owner: Caller) -> None:
    large = "x" * 65_000
    assert [await put(owner, f"v{number}", large) for number in range(17)] == [201] * 16 + [400]
    assert await put(owner, "v0", "smaller") == 200
    assert await put(owner, "v16", "y") == 201


async def test_who_may_read_and_who_may_write(api: Api, owner: Caller) -> None:
    await put(owner, "region", "eu")
    for role, status in ((Role.EDITOR, 200), (Role.OPERATOR, 403), (Role.VIEWER, 403)):
        caller = await api.sign_in(role, owner.workspace_id)
        assert await put(caller, "region", "eu") == status
        assert (await caller.client.delete("/v1/vars/other")).status_code == (404 if status == 200 else 403)
        assert (await caller.client.get("/v1/vars/region")).json()["value"] == "eu"


async def test_another_workspace_has_its_own(api: Api, owner: Caller) -> None:
    await put(owner, "region", "eu")
    other = await api.sign_in(Role.OWNER)
    assert (await other.client.get("/v1/vars/region")).status_code == 404
    assert (await other.client.get("/v1/vars")).json()["items"] == []
    assert await put(other, "region", "us") == 201
    assert (await owner.client.get("/v1/vars/region")).json()["value"] == "eu"
