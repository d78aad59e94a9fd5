"""Access tokens: asked for once, however many wait, and again before they end."""

import asyncio
from typing import Any

import pytest

from engine.infra.access_tokens import NeedsAuthorization
from engine.infra.http_errors import ConnectionFailedError
from engine.infra.token_endpoint import TokenError
from tests.unit.connections.desk import SIGNED_IN, Desk, until_asked


async def test_all_that_ask_at_a_time_get_one_token_in_all_processes() -> None:
    desk = Desk()
    desk.may_answer.clear()
    processes = [desk.process() for _ in range(3)]
    asking = [asyncio.create_task(process.get()) for process in processes for _ in range(50)]
    await until_asked(desk)
    # The others have seen by now that somebody is at it.
    await desk.paused.wait()
    desk.may_answer.set()
    assert {token.text for token in await asyncio.gather(*asking)} == {"token-1"}
    assert len(desk.requests) == 1


async def test_one_that_is_broken_off_takes_the_token_from_nobody() -> None:
    desk = Desk()
    desk.may_answer.clear()
    process = desk.process()
    first, second = (asyncio.create_task(process.get()) for _ in range(2))
    await until_asked(desk)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    desk.may_answer.set()
    assert (await second).text == "token-1"
    assert len(desk.requests) == 1


@pytest.mark.parametrize(
    ("expires_in", "last_use"),
    [(600, 540), (60, 54), (86_400, 86_340), ("600", 540), (None, 270), ("soon", 270), (True, 0.9), ("inf", 270)],
)
async def test_a_token_is_replaced_before_it_ends(expires_in: Any, last_use: float) -> None:
    desk = Desk(expires_in=expires_in)
    first, second = desk.process(), desk.process()
    assert (await first.get()).text == "token-1"
    desk.now = last_use - 0.01
    assert (await second.get()).text == "token-1"
    desk.now = last_use
    assert (await first.get()).text == "token-2"
    assert (await second.get()).text == "token-2"


async def test_clients_that_differ_have_tokens_of_their_own() -> None:
    process = Desk().process()
    assert [(await process.get(name)).text for name in ("a", "b", "a")] == ["token-1", "token-2", "token-1"]


async def test_a_refused_token_is_replaced_and_a_new_one_is_no_reason_to_try_again() -> None:
    desk = Desk()
    process, other = desk.process(), desk.process()
    new = await process.get()
    assert await process.discard(new) is False
    kept = await other.get()
    assert (kept.text, await other.discard(kept)) == ("token-1", True)
    assert (await process.get()).text == "token-2"
    # Somebody else has replaced it already.
    assert await other.discard(kept) is True
    assert (await other.get()).text == "token-2"


@pytest.mark.parametrize(
    ("status", "answer", "told", "is_retryable"),
    [
        (
            400,
            {"error": "invalid_scope", "error_description": "no cl13nt-s3cret"},
            "invalid_scope: no [redacted]",
            False,
        ),
        (503, b"<html>cl13nt-s3cret</html>", "but 503", True),
        (429, {}, "but 429", True),
        (200, {"access_token": ""}, "but 200", False),
        (200, b"[]", "but 200", False),
        (200, {"token_type": "mac"}, "another type", False),
        (200, {"access_token": "a\nb"}, "no header can hold", False),
        (400, {"error": ["no", "text"]}, "but 400", False),
        (200, ConnectionFailedError("no way to cl13nt-s3cret"), "no way to [redacted]", True),
    ],
)
async def test_a_failure_is_told_without_the_secret_and_not_kept(
    status: int, answer: Any, told: str, is_retryable: bool
) -> None:
    desk = Desk()
    desk.status, desk.answer = status, answer
    process = desk.process()
    with pytest.raises(TokenError) as raised:
        await process.get()
    assert told in raised.value.message
    assert "cl13nt-s3cret" not in raised.value.message
    assert raised.value.is_retryable is is_retryable
    desk.status, desk.answer = 200, {}
    assert (await process.get()).text == "token-2"


async def test_an_old_token_is_used_to_its_end_where_the_endpoint_is_away_or_somebody_asks_already() -> None:
    desk = Desk()
    first, second = desk.process(), desk.process()
    await first.get()
    desk.now = 550.0
    desk.status, desk.answer = 503, b""
    assert (await first.get()).text == "token-1"
    desk.may_answer.clear()
    asking = asyncio.create_task(first.get())
    await until_asked(desk, 3)
    assert (await second.get()).text == "token-1"
    desk.status, desk.answer = 200, {}
    desk.may_answer.set()
    assert (await asking).text == "token-3"


async def test_who_dies_while_it_asks_holds_the_others_up_for_no_longer_than_its_lease() -> None:
    desk = Desk()
    desk.may_answer.clear()
    dead = asyncio.create_task(desk.process().get())
    await until_asked(desk)
    waiting = asyncio.create_task(desk.process().get())
    await desk.paused.wait()
    assert len(desk.requests) == 1
    desk.now += 25.0
    await until_asked(desk, 2)
    desk.may_answer.set()
    texts = {(await waiting).text, (await dead).text}
    # The first answer counts, whosoever it is.
    assert len(texts) == 1


async def test_a_rotated_refresh_token_is_the_next_that_is_sent() -> None:
    desk = Desk(refresh_token="r3fresh-1")
    desk.grant("crm")
    desk.now = 540.0
    assert (await desk.process().get("crm", SIGNED_IN)).refresh_token == "r3fresh-1"
    desk.answer = {"expires_in": 600}
    desk.now = 1_080.0
    # None came this time: the one of before goes on to be good.
    assert (await desk.process().get("crm", SIGNED_IN)).refresh_token == "r3fresh-1"
    desk.now = 1_620.0
    await desk.process().get("crm", SIGNED_IN)
    assert [asked["refresh_token"] for asked in desk.requests] == ["r3fresh-0", "r3fresh-1", "r3fresh-1"]


async def test_a_grant_that_is_refused_needs_a_sign_in_and_is_not_tried_again() -> None:
    desk = Desk()
    desk.grant("crm")
    desk.status = 400
    desk.answer = {"access_token": "", "error": "invalid_grant", "error_description": "r3fresh-0 was revoked"}
    desk.now = 540.0
    for process in (desk.process(), desk.process()):
        with pytest.raises(NeedsAuthorization, match=r"invalid_grant: \[redacted\] was revoked.*sign in again"):
            await process.get("crm", SIGNED_IN)
    assert len(desk.requests) == 1


@pytest.mark.parametrize(
    ("granted", "now", "told"),
    [(None, 0.0, "nobody has signed in"), ({"refresh_token": None}, 600.0, "no token to ask for another one")],
    ids=["never", "ended"],
)
async def test_nothing_is_asked_for_where_only_a_sign_in_helps(granted: Any, now: float, told: str) -> None:
    desk = Desk()
    if granted is not None:
        desk.grant("crm", **granted)
        desk.now = now - 0.01
        assert (await desk.process().get("crm", SIGNED_IN)).text == "first"
    desk.now = now
    with pytest.raises(NeedsAuthorization, match=told):
        await desk.process().get("crm", SIGNED_IN)
    assert desk.requests == []


async def test_a_token_without_an_end_or_a_successor_is_used_for_ever() -> None:
    desk = Desk()
    desk.grant("crm", refresh_token=None, left_seconds=None)
    desk.now = 1e9
    assert (await desk.process().get("crm", SIGNED_IN)).text == "first"


async def test_a_process_that_stops_keeps_what_comes_in_time_and_waits_for_nothing_else() -> None:
    desk = Desk()
    desk.may_answer.clear()
    asker, waiter = desk.process(), desk.process()
    asking = asyncio.create_task(asker.get())
    await until_asked(desk)
    waiting = asyncio.create_task(waiter.get())
    await desk.paused.wait()
    await waiter.tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    closing = asyncio.create_task(asker.tokens.close())
    await asyncio.sleep(0)
    desk.may_answer.set()
    await closing
    assert (await asking).text == "token-1"
    assert (await desk.process().get()).text == "token-1"
