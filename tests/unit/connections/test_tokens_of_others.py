"""Access tokens where others are: a process that comes too late, and tokens that do not open."""

import asyncio
import base64
from typing import Any

import pytest

from engine.infra.access_tokens import AccessToken, NeedsAuthorization
from engine.infra.token_endpoint import TokenError
from tests.unit.connections.desk import SIGNED_IN, Desk, until_asked

REFUSED = (400, {"access_token": "", "error": "invalid_grant", "error_description": "it was used before"})
GIVEN = (200, {"expires_in": 600, "refresh_token": "r3fresh-1"})
OTHER_KEY = base64.b64encode(bytes(32)).decode()
LEASE_SECONDS = 25.0


class Latecomer:
    """Two processes that ask with one refresh token: the first stood still until its lease was over."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.desk.grant("crm", left_seconds=100.0)
        self.desk.now = 100.0
        self.answers = [self.desk.hold(number) for number in (1, 2)]

    async def begin(self) -> None:
        """Let both ask."""
        self.late = asyncio.create_task(self.desk.process().get("crm", SIGNED_IN))
        await until_asked(self.desk)
        self.desk.now += LEASE_SECONDS
        self.holder = asyncio.create_task(self.desk.process().get("crm", SIGNED_IN))
        await until_asked(self.desk, 2)

    async def refuse_first(self) -> None:
        """Let the latecomer hear that its grant is not accepted, and see that somebody else is at it."""
        self.desk.told[1] = REFUSED
        self.desk.paused.clear()
        self.answers[0].set()
        await self.desk.paused.wait()


@pytest.fixture
async def pair() -> Latecomer:
    made = Latecomer()
    await made.begin()
    return made


def is_refused(desk: Desk) -> bool:
    (row,) = desk.rows.values()
    return row.is_refused


async def test_a_late_refusal_waits_for_what_the_holder_of_the_lease_is_given(pair: Latecomer) -> None:
    await pair.refuse_first()
    assert not is_refused(pair.desk)
    pair.desk.told[2] = GIVEN
    pair.answers[1].set()
    assert (await pair.late).text == (await pair.holder).text == "token-2"
    assert not is_refused(pair.desk)
    assert len(pair.desk.requests) == 2


async def test_a_late_refusal_finds_what_the_holder_of_the_lease_was_given(pair: Latecomer) -> None:
    pair.desk.told[2] = GIVEN
    pair.answers[1].set()
    assert (await pair.holder).text == "token-2"
    pair.desk.told[1] = REFUSED
    pair.answers[0].set()
    late = await pair.late
    assert (late.text, late.refresh_token) == ("token-2", "r3fresh-1")
    assert not is_refused(pair.desk)


async def test_a_late_refusal_holds_where_the_holder_of_the_lease_is_refused_as_well(pair: Latecomer) -> None:
    await pair.refuse_first()
    pair.desk.told[2] = REFUSED
    pair.answers[1].set()
    for process in (pair.late, pair.holder):
        with pytest.raises(NeedsAuthorization, match=r"invalid_grant: it was used before.*sign in again"):
            await process
    assert is_refused(pair.desk)
    assert len(pair.desk.requests) == 2


async def test_a_late_refusal_is_asked_for_again_where_the_holder_of_the_lease_dies(pair: Latecomer) -> None:
    await pair.refuse_first()
    pair.holder.cancel()
    pair.desk.now += LEASE_SECONDS
    await until_asked(pair.desk, 3)
    assert (await pair.late).text == "token-3"
    assert not is_refused(pair.desk)


async def test_any_other_failure_that_comes_late_yields_to_what_the_holder_of_the_lease_was_given(
    pair: Latecomer,
) -> None:
    pair.desk.told[2] = GIVEN
    pair.answers[1].set()
    await pair.holder
    pair.desk.told[1] = (400, {"access_token": "", "error": "invalid_request"})
    pair.answers[0].set()
    assert (await pair.late).text == "token-2"


async def test_any_other_failure_that_comes_late_is_told_and_takes_the_lease_from_nobody(pair: Latecomer) -> None:
    pair.desk.told[1] = (503, {})
    pair.answers[0].set()
    with pytest.raises(TokenError, match="but 503"):
        await pair.late
    pair.desk.told[2] = GIVEN
    pair.answers[1].set()
    assert (await pair.holder).text == "token-2"
    assert len(pair.desk.requests) == 2


async def test_a_sign_in_meanwhile_is_not_undone_by_a_late_refusal(pair: Latecomer) -> None:
    pair.desk.grant("crm", access_token="signed-in")
    for number, process in enumerate((pair.late, pair.holder)):
        pair.desk.told[number + 1] = REFUSED
        pair.answers[number].set()
        assert (await process).text == "signed-in"
    assert not is_refused(pair.desk)


@pytest.mark.parametrize("now", [0.0, 560.0, 700.0], ids=["usable", "to_be_replaced", "ended"])
async def test_a_clients_token_that_does_not_open_is_given_up_and_asked_for_anew(now: float) -> None:
    desk = Desk()
    assert (await desk.process().get()).text == "token-1"
    desk.now = now
    # The key with which it was sealed is gone.
    assert (await desk.process(OTHER_KEY).get()).text == "token-2"
    assert (await desk.process(OTHER_KEY).get()).text == "token-2"
    assert len(desk.requests) == 2


async def test_a_clients_token_that_does_not_open_is_waited_for_while_another_process_asks() -> None:
    desk = Desk()
    await desk.process().get()
    answer = desk.hold(2)
    asking = [asyncio.create_task(desk.process(OTHER_KEY).get()) for _ in range(3)]
    await until_asked(desk, 2)
    await desk.paused.wait()
    answer.set()
    assert {token.text for token in await asyncio.gather(*asking)} == {"token-2"}
    assert len(desk.requests) == 2


async def test_a_clients_token_that_does_not_open_is_in_nobodys_way_where_the_endpoint_is_away() -> None:
    desk = Desk()
    await desk.process().get()
    desk.told[2] = (503, {})
    process = desk.process(OTHER_KEY)
    with pytest.raises(TokenError, match="but 503"):
        await process.get()
    assert (await process.get()).text == "token-3"


@pytest.mark.parametrize("now", [0.0, 560.0, 700.0], ids=["usable", "to_be_replaced", "ended"])
async def test_a_sign_in_that_does_not_open_asks_for_another_one_and_holds_nobody_up(now: float) -> None:
    desk = Desk()
    desk.grant("crm")
    desk.now = now
    for process in (desk.process(OTHER_KEY), desk.process(OTHER_KEY)):
        with pytest.raises(NeedsAuthorization, match=r"do not open: sealed under another secret key.*sign in again"):
            await process.get("crm", SIGNED_IN)
    # Whoever has the key goes on with it: it was not refused, and nobody holds the lease.
    assert not is_refused(desk)
    token: AccessToken = await desk.process().get("crm", SIGNED_IN)
    assert token.text == ("first" if now == 0 else "token-1")


async def test_a_new_sign_in_mends_one_that_does_not_open() -> None:
    desk = Desk()
    desk.grant("crm")
    process: Any = desk.process(OTHER_KEY)
    with pytest.raises(NeedsAuthorization):
        await process.get("crm", SIGNED_IN)
    desk.grant("crm", key=OTHER_KEY, access_token="again")
    assert (await process.get("crm", SIGNED_IN)).text == "again"
