"""The room for held events is counted anew for whoever was forgotten, and nobody is forgotten who is asked for."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from engine.triggers import held_room
from engine.triggers.held_room import HeldRoom


async def test_nobody_is_forgotten_who_is_about_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def count(_connection: Any, triggers: Sequence[UUID], _most: int) -> dict[UUID, int]:
        return dict.fromkeys(triggers, 0)

    monkeypatch.setattr(held_room, "KNOWN_TRIGGERS", 2)
    monkeypatch.setattr(held_room, "count_held", count)
    first, second, third = (UUID(int=number) for number in range(3))
    room, nowhere = HeldRoom(1000), Any
    assert await room.look(nowhere, {first: 1, second: 1}) == [first, second]
    # The oldest is known to have room, and is wanted in the very batch that brings one too many.
    assert await room.look(nowhere, {first: 1, third: 1}) == [third]
    assert room.take(first)
    assert room.take(third)
    assert await room.look(nowhere, {second: 1}) == [second]
