"""Going back to a version, and what a definition names of its workspace."""

from typing import Any
from uuid import uuid4

import pytest

from app.auth.permissions import Role
from tests.integration.api.callers import Api, Caller

Document = dict[str, Any]


def _pause(seconds: int) -> Document:
    return {"schema": 1, "steps": [{"id": "pause", "type": "delay", "with": {"seconds": seconds}}]}


def _run(*workflow_ids: str) -> Document:
    """A definition that runs these workflows, the last one for each item of a loop."""
    steps: list[Document] = [
        {"id": f"sub{number}", "type": "workflow", "with": {"workflow_id": workflow_id}}
        for number, workflow_id in enumerate(workflow_ids)
    ]
    loop = {"id": "each", "type": "foreach", "with": {"items": "[1]"}, "steps": steps[-1:]}
    return {"schema": 1, "steps": [*steps[:-1], loop]}


async def _create(caller: Caller, definition: Document, name: str = "W") -> Document:
    answer = await caller.client.post("/v1/workflows", json={"name": name, "definition": definition})
    assert answer.status_code == 201, answer.text
    created: Document = answer.json()
    return created


async def _publish_twice(caller: Caller) -> str:
    """The path of a workflow whose version 1 pauses for one second, and version 2, its draft, for two."""
    path = f"/v1/workflows/{(await _create(caller, _pause(1)))['id']}"
    assert (await caller.client.post(f"{path}/publish")).status_code == 201
    changed = await caller.client.patch(path, json={"definition": _pause(2)}, headers={"if-match": "*"})
    assert changed.status_code == 200
    assert (await caller.client.post(f"{path}/publish")).status_code == 201
    return path


async def test_a_restored_version_is_the_draft_and_is_published_by_a_call_of_its_own(api: Api, owner: Caller) -> None:
    path = await _publish_twice(owner)
    editor = await api.sign_in(Role.EDITOR, owner.workspace_id)
    before = (await owner.client.get(path)).json()
    answer = await editor.client.post(f"{path}/versions/1/restore")
    assert answer.status_code == 200
    restored = answer.json()
    assert (restored["definition"], restored["published_version"], restored["problems"]) == (_pause(1), 2, [])
    assert (restored["revision"], restored["updated_by"]) == (before["revision"] + 1, str(editor.user_id))
    assert answer.headers["etag"] == f'"{restored["revision"]}"'
    assert (await owner.client.get(path)).json() == restored
    published = await owner.client.post(f"{path}/publish", headers={"if-match": answer.headers["etag"]})
    assert (published.status_code, published.json()["version"]) == (201, 3)
    assert published.json()["definition"] == _pause(1)
    assert (await owner.client.get(f"{path}/versions/2")).json()["definition"] == _pause(2)


async def test_restoring_what_the_draft_is_already_changes_nothing(owner: Caller) -> None:
    path = await _publish_twice(owner)
    before = await owner.client.get(path)
    answer = await owner.client.post(f"{path}/versions/2/restore")
    assert (answer.status_code, answer.json()) == (200, before.json())
    assert answer.headers["etag"] == before.headers["etag"]


async def test_a_version_is_not_restored_over_a_draft_that_somebody_changed_meanwhile(owner: Caller) -> None:
    path = await _publish_twice(owner)
    stale = (await owner.client.get(path)).headers["etag"]
    await owner.client.patch(path, json={"definition": _pause(3)}, headers={"if-match": stale})
    answer = await owner.client.post(f"{path}/versions/1/restore", headers={"if-match": stale})
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_etag")
    current = await owner.client.get(path)
    assert answer.headers["etag"] == current.headers["etag"]
    assert current.json()["definition"] == _pause(3)


async def test_restoring_again_with_its_key_does_it_once(owner: Caller) -> None:
    path = await _publish_twice(owner)
    headers = {"idempotency-key": "restore-1"}
    first = await owner.client.post(f"{path}/versions/1/restore", headers=headers)
    await owner.client.patch(path, json={"definition": _pause(3)}, headers={"if-match": "*"})
    again = await owner.client.post(f"{path}/versions/1/restore", headers=headers)
    assert (again.status_code, again.content, again.headers["etag"]) == (200, first.content, first.headers["etag"])
    assert (await owner.client.get(path)).json()["definition"] == _pause(3)
    other = await owner.client.post(f"{path}/versions/2/restore", headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


@pytest.mark.parametrize("version", ["0", "3", "2147483648", "99999999999999999999"])
async def test_a_version_that_is_not_there_is_not_restored(owner: Caller, version: str) -> None:
    path = await _publish_twice(owner)
    answer = await owner.client.post(f"{path}/versions/{version}/restore")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await owner.client.get(path)).json()["definition"] == _pause(2)


async def test_a_workflow_that_the_workspace_does_not_have_is_told_of_and_not_published(
    api: Api, owner: Caller
) -> None:
    stranger = await api.sign_in(Role.OWNER)
    foreign = (await _create(stranger, _pause(1)))["id"]
    gone = (await _create(owner, _pause(1)))["id"]
    assert (await owner.client.delete(f"/v1/workflows/{gone}")).status_code == 204
    there = (await _create(owner, _pause(1)))["id"]
    definition = _run(str(uuid4()), there.upper(), foreign, "{{ input.id }}", gone)
    dangling = ["/steps/0/with/workflow_id", "/steps/2/with/workflow_id", "/steps/4/steps/0/with/workflow_id"]
    told = [(pointer, "unknown_workflow") for pointer in dangling]

    created = await _create(owner, definition)
    assert [(problem["pointer"], problem["code"]) for problem in created["problems"]] == told
    assert foreign in created["problems"][1]["message"]
    path = f"/v1/workflows/{created['id']}"
    assert (await owner.client.get(path)).json()["problems"] == created["problems"]
    checked = (await owner.client.post("/v1/workflows/validate", json=definition)).json()
    assert checked == {"valid": False, "errors": created["problems"]}
    refused = await owner.client.post(f"{path}/publish")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_definition")
    assert refused.json()["errors"] == created["problems"]

    mended = await owner.client.patch(path, json={"definition": _run(there, created["id"])}, headers={"if-match": "*"})
    assert mended.json()["problems"] == []
    assert (await owner.client.post(f"{path}/publish")).status_code == 201


async def test_dangling_workflows_are_told_of_beside_all_other_faults_in_document_order(owner: Caller) -> None:
    definition = _run("orders", str(uuid4()), "0199")
    definition["steps"][0]["after"] = ["nowhere"]
    errors = (await owner.client.post("/v1/workflows/validate", json={"definition": definition})).json()["errors"]
    assert [(error["pointer"], error["code"]) for error in errors] == [
        ("/steps/0/after/0", "unknown_step"),
        ("/steps/0/with/workflow_id", "invalid_format"),
        ("/steps/1/with/workflow_id", "unknown_workflow"),
        ("/steps/2/steps/0/with/workflow_id", "invalid_format"),
    ]
    assert "'orders' is no workflow's id" in errors[1]["message"]
