"""Who listens: one session for all while there is one that may, and otherwise each for itself."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.relay.ears import Ears
from engine.relay.listener import Session


class Connection:
    """What a session listens to."""

    def __init__(self) -> None:
        self.listeners: dict[str, Callable[..., Any]] = {}

    def add_termination_listener(self, _callback: Callable[..., Any]) -> None:
        """Nothing ends here."""

    async def add_listener(self, channel: str, callback: Callable[..., Any]) -> None:
        self.listeners[channel] = callback

    async def remove_listener(self, channel: str, callback: Callable[..., Any]) -> None:
        assert self.listeners.pop(channel) == callback

    def notify(self, channel: str) -> None:
        self.listeners[channel](self, 1, channel, "")


class Host(Session):
    channel = "host"


class Guest(Session):
    channel = "guest"
    is_guest = True


@pytest.fixture
def ears() -> Ears:
    return Ears("guest", "another")


def take_alarm(session: Session) -> bool:
    was_set = session.alarm.is_set()
    session.alarm.clear()
    return was_set


async def test_a_guest_listens_itself_until_there_is_a_host(ears: Ears) -> None:
    own, all_of_them = Connection(), Connection()
    guest, host = Guest(own), Host(all_of_them)
    assert await ears.join(guest, 9), "what came before it listened it has to look for"
    assert not await ears.join(guest, 9)
    own.notify("guest")
    assert take_alarm(guest)
    assert await ears.join(host, 9)
    assert set(all_of_them.listeners) == {"host", "guest", "another"}
    # Until it has turned round both hear.
    assert take_alarm(guest)
    assert not await ears.join(guest, 9)
    assert own.listeners == {}


async def test_a_host_rings_for_whom_it_is_and_for_nobody_else(ears: Ears) -> None:
    connection = Connection()
    guest, host = Guest(Connection()), Host(connection)
    await ears.join(host, 9)
    await ears.join(guest, 9)
    for channel, hears in (("host", (True, False)), ("guest", (False, True)), ("another", (False, False))):
        connection.notify(channel)
        assert (take_alarm(host), take_alarm(guest)) == hears


async def test_a_guest_whose_host_has_left_is_woken_and_listens_itself(ears: Ears) -> None:
    own = Connection()
    guest, host = Guest(own), Host(Connection())
    await ears.join(host, 9)
    await ears.join(guest, 9)
    ears.leave(host)
    assert take_alarm(guest)
    assert await ears.join(guest, 9)
    assert set(own.listeners) == {"guest"}


async def test_a_guest_that_has_left_is_rung_no_more_and_another_one_takes_its_place(ears: Ears) -> None:
    connection = Connection()
    gone, host = Guest(Connection()), Host(connection)
    await ears.join(host, 9)
    await ears.join(gone, 9)
    ears.leave(gone)
    connection.notify("guest")
    assert not take_alarm(gone)
    following = Guest(Connection())
    await ears.join(following, 9)
    connection.notify("guest")
    assert take_alarm(following)


async def test_a_host_listens_for_nobody_whose_channel_it_was_not_told() -> None:
    ears, own = Ears(), Connection()
    guest, host = Guest(own), Host(Connection())
    await ears.join(host, 9)
    assert await ears.join(guest, 9)
    assert set(own.listeners) == {"guest"}
