"""What the API answers when a statement of a request fails, one at a time."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.infra.faults import STATEMENT_FAULTS
from engine.infra.settings import Settings
from tests.integration.api.callers import PASSWORD, Api, running
from tests.integration.faults.script import Script

every_fault = pytest.mark.parametrize("fault", STATEMENT_FAULTS)


@pytest.fixture
async def api(scripted: Script, settings: Settings, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    usual = msgspec.structs.replace(settings, test_database_faults="")
    async with running(usual, beside_another=True) as opened:
        yield opened


@every_fault
async def test_a_sign_in_that_the_database_failed_does_not_count_as_a_wrong_password(
    api: Api, scripted: Script, fault: str
) -> None:
    person = await api.sign_in()
    credentials = {"email": person.email, "password": PASSWORD}
    client = api.client()
    for statement in ["FROM user_account", "INSERT INTO user_session"] * 4:
        scripted.fail_next(fault, statement)
        answer = await client.post("/v1/auth/login", json=credentials)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert scripted.failed.is_set()
    assert (await client.post("/v1/auth/login", json=credentials)).status_code == 200
    wrong = [
        await client.post("/v1/auth/login", json={**credentials, "password": "wrong one, for sure"}) for _ in range(6)
    ]
    assert [answer.status_code for answer in wrong] == [401] * 5 + [429]


@every_fault
async def test_connections_that_failed_are_given_back_and_replaced(api: Api, scripted: Script, fault: str) -> None:
    person = await api.sign_in()
    for number in range(2 * api.settings.database_pool):
        scripted.fail_next(fault, "FROM workflow")
        answer = await person.client.get("/v1/workflows")
        assert answer.status_code == 503, f"try {number}: {answer.text}"
        assert answer.headers["retry-after"] == "1"
    assert (await person.client.get("/v1/workflows")).status_code == 200
