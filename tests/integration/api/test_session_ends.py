"""When sessions end by themselves: after seven days without use, and after thirty in all."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.integration.api.callers import Api, Caller


async def let_pass(api: Api, table: str, time: timedelta) -> None:
    """As if whatever is in the table had begun so much earlier."""
    earlier = ", ".join(f"{name} = {name} - CAST(:time AS interval)" for name in ("created_at", "expires_at"))
    shift = f"UPDATE {table} SET {earlier}"  # noqa: S608 - names of this test's own
    async with api.database.begin() as connection:
        await connection.execute(text(shift), {"time": time})


async def refresh(api: Api, token: str) -> tuple[int, str]:
    answer = await api.client().post("/v1/auth/refresh", json={"refresh_token": token})
    return answer.status_code, answer.json().get("refresh_token", "")


@pytest.mark.without_faults("a refresh that is not heard of and comes again ends its session")
async def test_a_session_that_nobody_uses_ends_after_seven_days(api: Api, owner: Caller) -> None:
    await let_pass(api, "refresh_token", timedelta(days=7) - timedelta(hours=1))
    status, successor = await refresh(api, owner.tokens["refresh_token"])
    assert status == 200, "an hour before"
    await let_pass(api, "refresh_token", timedelta(days=7))
    assert (await refresh(api, successor))[0] == 401


@pytest.mark.without_faults("a refresh that is not heard of and comes again ends its session")
async def test_a_session_ends_after_thirty_days_however_often_it_is_used(api: Api, owner: Caller) -> None:
    await let_pass(api, "user_session", timedelta(days=30) - timedelta(hours=1))
    status, successor = await refresh(api, owner.tokens["refresh_token"])
    assert status == 200, "an hour before"
    await let_pass(api, "user_session", timedelta(hours=1))
    assert (await refresh(api, successor))[0] == 401
    assert (await owner.client.get("/v1/auth/me")).status_code == 401


async def test_a_session_that_has_ended_by_itself_goes_on_nowhere(api: Api, owner: Caller) -> None:
    assert (await owner.client.get("/v1/auth/me")).status_code == 200, "which is known for seconds"
    await let_pass(api, "user_session", timedelta(days=30))
    again = await owner.client.post("/v1/auth/switch", json={"workspace_id": str(owner.workspace_id)})
    assert again.status_code == 401
