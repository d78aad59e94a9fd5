"""The audit log of a whole product: who did what from where, and still so after everything was killed."""

import json
from collections.abc import Callable

import pytest

from tests.e2e.client import OWNER, Client, Document
from tests.e2e.steps import define, delay, of_type
from tests.product import Product, wait_for

ADDRESS = "203.0.113.7"


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product behind a proxy on this machine."""
    return start_product(settings={"FLOWFORGE_TRUSTED_PROXIES": "127.0.0.1"})


def find(client: Client, action: str, **query: str) -> Document:
    """The newest entry of an action, once it is there."""

    def look() -> Document | None:
        items = client.read("/v1/audit", action=action, **query)["items"]
        return items[0] if items else None

    entry: Document = wait_for(look, what=f"entry of {action}")
    return entry


def test_acts_of_people_are_entered_with_their_address_behind_a_proxy(client: Client) -> None:
    client.http.headers["x-forwarded-for"] = ADDRESS
    workflow = client.publish(define(of_type("approval", "ask", {"message": "Pay?"}), delay("waits", 3600)))
    run_id = client.start(workflow.id)
    approval = wait_for(lambda: next(iter(client.read("/v1/approvals", run_id=run_id)["items"]), None), what="approval")
    assert client.http.post(f"/v1/approvals/{approval['id']}", json={"decision": "approved"}).is_success
    assert client.http.post(f"/v1/runs/{run_id}/cancel").status_code == 202
    assert client.http.delete(f"/v1/workflows/{workflow.id}").status_code == 204
    guess = {"email": OWNER, "password": "not the password"}
    assert client.http.post("/v1/auth/login", json=guess).status_code == 401
    targets = {
        "workflow.published": workflow.id,
        "trigger.created": workflow.trigger_id,
        "approval.decided": approval["id"],
        "run.cancelled": run_id,
        "workflow.deleted": workflow.id,
    }
    for action, target_id in targets.items():
        entry = find(client, action, target_id=target_id)
        assert (entry["actor"]["email"], entry["address"], entry["outcome"]) == (OWNER, ADDRESS, "done")
    refused = find(client, "session.refused")
    assert (refused["target"]["name"], refused["address"], refused["outcome"]) == (OWNER, ADDRESS, "refused")


def test_the_chain_holds_after_everything_was_killed(product: Product, client: Client) -> None:
    assert client.http.put("/v1/vars/region", json={"value": "eu"}).is_success
    kept = client.read("/v1/audit/verify")
    assert kept["valid"], kept
    product.kill_supervisor(with_children=True)
    product.start()
    with_other = client.http.put("/v1/vars/region", json={"value": "us"})
    assert with_other.is_success, with_other.text
    found = client.read("/v1/audit/verify", seq=kept["last_seq"], hash=kept["hash"])
    assert (found["valid"], found["entries"]) == (True, kept["entries"] + 1)
    lines = client.http.get("/v1/audit/export").text.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, found["entries"] + 1))
