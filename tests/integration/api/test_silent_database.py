"""A database that says nothing any more, as behind a network that is cut: who calls is told to come again."""

import asyncio

import msgspec
import pytest

from app import main
from app.runs import lanes
from cli.chaos.proxy import FaultyProxy
from engine.infra.settings import Settings
from tests.integration.api.callers import running
from tests.integration.api.hooks import open_hook
from tests.product import PATIENCE_SECONDS


@pytest.mark.without_faults("the database is to answer until it is cut off, and not after")
async def test_a_call_whose_statement_is_never_answered_is_refused_with_503_and_later_ones_are_served(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for whatever is answered, and far from what a caller would wait.
    for module in (main, lanes):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 5.0)
    async with FaultyProxy(settings.database_url) as proxy:
        cut_off = msgspec.structs.replace(settings, database_url=proxy.url)
        async with running(cut_off, beside_another=True) as api:
            caller = await api.sign_in()
            hook = await open_hook(api, caller)
            assert (await hook.post({"n": 1})).status_code == 202
            assert (await caller.client.get("/v1/workflows")).status_code == 200
            proxy.swallow()
            async with asyncio.timeout(PATIENCE_SECONDS):
                answers = await asyncio.gather(caller.client.get("/v1/workflows"), hook.post({"n": 2}))
            for answer in answers:
                assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
            proxy.cut()
            await proxy.restore()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await caller.client.get("/v1/workflows")).status_code != 200:
                    await asyncio.sleep(0.05)
                while (await hook.post({"n": 3})).status_code != 202:
                    await asyncio.sleep(0.05)
