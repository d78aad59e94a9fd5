"""The chain of the audit log: one for each workspace, that nobody changes unseen."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from litestar.datastructures import State
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.audit.entries import Act, Action
from app.audit.trail import enter
from app.auth.permissions import Role
from app.auth.principal import Principal
from app.dependencies import Isolation, begin_transaction
from tests.integration.api.audits import PATH, read, set_variable, verify
from tests.integration.api.callers import Api, Caller

LAST = -1


async def tamper(api: Api, statement: str) -> None:
    """Change the database as its superuser can, who asks no triggers."""
    async with api.database.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET outcome = 'refused'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "UPDATE audit_head SET seq = seq - 1",
        "UPDATE audit_head SET hash = ''",
    ],
)
async def test_the_database_refuses_to_change_what_was_entered(api: Api, owner: Caller, statement: str) -> None:
    before = await read(owner)
    with pytest.raises(DBAPIError, match="only ever added to"):
        async with api.database.begin() as connection:
            await connection.execute(text(statement))
    assert await read(owner) == before


async def test_a_chain_is_whole_and_so_is_what_was_kept_of_it(api: Api, owner: Caller) -> None:
    stranger = await api.sign_in(Role.OWNER)
    kept = await verify(owner)
    assert (kept["valid"], kept["entries"], kept["first_seq"]) == (True, kept["last_seq"], 1)
    await set_variable(owner, "region", "eu")
    later = await verify(owner, seq=kept["last_seq"], hash=kept["hash"])
    assert (later["valid"], later["entries"]) == (True, kept["entries"] + 1)
    short = await verify(stranger)
    assert (short["valid"], short["entries"]) == (True, short["last_seq"])
    other = await verify(stranger, seq=1, hash=kept["hash"])
    assert (other["valid"], other["reason"]) == (False, "other_than_kept")
    ahead = await verify(stranger, seq=70, hash=kept["hash"])
    assert (ahead["valid"], ahead["broken_at"], ahead["reason"]) == (False, 70, "missing")


@pytest.mark.parametrize(
    ("statement", "broken_at", "reason"),
    [
        ("UPDATE audit_entry SET entry = convert_to('{}', 'UTF8') WHERE seq = 3", 3, "changed"),
        ("UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE seq = 2", 2, "changed"),
        ("UPDATE audit_entry SET user_id = NULL WHERE seq = 2", 2, "columns_changed"),
        ("DELETE FROM audit_entry WHERE seq = 3", 3, "missing"),
        ("DELETE FROM audit_entry WHERE seq > 3", 4, "missing"),
        ("UPDATE audit_entry SET hash = sha256('') WHERE seq = 4", 4, "changed"),
        ("UPDATE audit_head SET hash = sha256('')", LAST, "other_than_head"),
    ],
    ids=["what it says", "when", "who is found", "one is gone", "the last are gone", "a hash", "the end"],
)
async def test_whoever_changes_the_log_nevertheless_is_found_out(
    api: Api, owner: Caller, statement: str, broken_at: int, reason: str
) -> None:
    for number in range(4):
        await set_variable(owner, f"v{number}", number)
    last = (await verify(owner))["last_seq"]
    assert last >= 5
    await tamper(api, statement)
    found = await verify(owner)
    expected = last if broken_at == LAST else broken_at
    assert (found["valid"], found["broken_at"], found["reason"]) == (False, expected, reason)


async def test_without_its_oldest_entries_the_rest_hangs_together(api: Api, owner: Caller) -> None:
    for number in range(4):
        await set_variable(owner, f"v{number}", number)
    await tamper(api, "DELETE FROM audit_entry WHERE seq < 3")
    found = await verify(owner)
    assert (found["valid"], found["first_seq"], found["entries"]) == (True, 3, found["last_seq"] - 2)


async def test_many_at_once_make_one_chain_without_a_gap(owner: Caller) -> None:
    await asyncio.gather(*(set_variable(owner, f"v{number}", number) for number in range(20)))
    entries = await read(owner, limit=200)
    assert [entry["seq"] for entry in entries] == list(range(len(entries), 0, -1))
    assert len(await read(owner, action="variable.set")) == 20
    assert (await verify(owner))["valid"]


async def test_workspaces_do_not_wait_for_each_other(api: Api, owner: Caller) -> None:
    stranger = await api.sign_in(Role.OWNER)
    async with api.database.begin() as connection:
        mine = {"id": owner.workspace_id}
        await connection.execute(text("SELECT 1 FROM audit_head WHERE workspace_id = :id FOR UPDATE"), mine)
        held = asyncio.create_task(set_variable(owner, "region", "eu"))
        await set_variable(stranger, "region", "us")
        assert not held.done()
    await held
    assert len(await read(owner, action="variable.set")) == 1


async def test_a_request_enters_after_all_else_that_it_does(api: Api, owner: Caller) -> None:
    principal = Principal(user_id=owner.user_id, workspace_id=owner.workspace_id, role=Role.OWNER)
    caller: Any = SimpleNamespace(scope={"user": principal})
    request = begin_transaction(State({"isolation": Isolation(api.database, "required")}), caller)
    transaction = await anext(request)
    before = await read(owner)
    # Nothing else of this request may wait for anything while it holds the end of the chain.
    await enter(transaction, principal, Act(action=Action.VARIABLE_SET))
    await enter(transaction, principal, Act(action=Action.VARIABLE_DELETED))
    await set_variable(owner, "region", "eu")
    with pytest.raises(StopAsyncIteration):
        await anext(request)
    entered = (await read(owner))[: -len(before)]
    assert [entry["action"] for entry in entered] == ["variable.deleted", "variable.set", "variable.set"]
    assert entered[2]["target"] == {"type": "variable", "id": "region", "name": None}
    assert (await verify(owner))["valid"]


async def test_others_can_compute_the_chain_from_an_export(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.audit.service.EXPORT_PAGE", 2)
    for number in range(5):
        (await owner.client.post("/v1/api-keys", json={"name": f"Schlüssel {number} ☂", "role": "viewer"}))
    answer = await owner.client.get(f"{PATH}/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.ndjson"'
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) >= 6
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    previous = UUID(lines[0]["workspace_id"]).bytes
    for line in lines:
        micros = (datetime.fromisoformat(line["at"]) - epoch) // timedelta(microseconds=1)
        entry = json.dumps(line["entry"], separators=(",", ":"), ensure_ascii=False).encode()
        previous = hashlib.sha256(
            previous + line["seq"].to_bytes(8, "big") + micros.to_bytes(8, "big") + entry
        ).digest()
        assert previous.hex() == line["hash"]
    assert (await verify(owner))["hash"] == lines[-1]["hash"]
    some = await owner.client.get(f"{PATH}/export", params={"action": "session"})
    assert {json.loads(line)["entry"]["action"] for line in some.text.splitlines()} == {"session.began"}
