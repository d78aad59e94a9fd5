"""Step types, as an editor reads them."""

import jsonschema_rs
import pytest

from app.auth.permissions import Role
from engine.steps.registry import step_types
from tests.integration.api.callers import Api, Caller

OF_VERSION_1 = [
    "http", "if", "switch", "transform", "foreach", "delay", "wait", "approval", "workflow", "respond", "fail",
]  # fmt: skip


async def test_every_step_type_is_listed_with_its_ports_and_its_schema(owner: Caller) -> None:
    listed = (await owner.client.get("/v1/step-types")).json()
    assert listed["next_cursor"] is None
    own = [item for item in listed["items"] if item["is_own"]]
    assert [item["name"] for item in own] == OF_VERSION_1
    assert len(listed["items"]) == len(step_types())
    ports = {item["name"]: item["ports"] for item in own}
    assert ports["if"] == ["true", "false", "error"]
    assert ports["switch"] == ["default", "error"]
    assert ports["approval"] == ["approved", "rejected", "timeout", "error"]
    assert ports["wait"] == ["timeout", "error"]
    assert ports["http"] == ["error"]
    for item in own:
        assert jsonschema_rs.meta.is_valid(item["schema"])
        assert item["title"]
        assert item["icon"]
        assert item["description"].endswith(".")


async def test_an_action_tells_its_defaults_and_a_control_step_has_none(owner: Caller) -> None:
    by_name = {item["name"]: item for item in (await owner.client.get("/v1/step-types")).json()["items"]}
    http = by_name["http"]
    assert (http["kind"], http["timeout"], http["has_steps"]) == ("action", 30.0, False)
    assert http["retry"] == {"max_attempts": 4, "initial": 1.0, "factor": 2.0, "max": 60.0, "jitter": True}
    loop = by_name["foreach"]
    assert (loop["kind"], loop["timeout"], loop["retry"], loop["has_steps"]) == ("control", None, None, True)


@pytest.mark.parametrize("role", list(Role))
async def test_whoever_is_signed_in_may_read_them(api: Api, role: Role) -> None:
    assert (await (await api.sign_in(role)).client.get("/v1/step-types")).status_code == 200
    assert (await api.client().get("/v1/step-types")).status_code == 401
