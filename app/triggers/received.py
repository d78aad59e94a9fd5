"""What a trigger received last, for whoever builds its workflow: payloads without secrets, and the next one."""

import asyncio
import time
from typing import Any, Final
from uuid import UUID

import msgspec

from app.auth.principal import Principal
from app.dependencies import Isolation
from app.errors import NotFound
from app.runs.hub import Hub
from app.triggers.masking import mask, mask_text, take_beginning
from app.triggers.schemas import ReceivedView
from engine.store.trigger_payloads import ReceivedEvent, has_trigger, list_received, list_received_ids

KEPT: Final = 20
# How often is looked for the next event, should Redis keep silent; and how soon after a change of any run.
LOOK_SECONDS: Final = 1.0
REST_SECONDS: Final = 0.05
# A body that is larger than this is shown by its beginning.
LARGEST_SHOWN: Final = 262_144
_PREVIEW: Final = 2000


class _Queued(msgspec.Struct):
    trigger: dict[str, msgspec.Raw]


class _Filtered(msgspec.Struct):
    trigger: dict[str, msgspec.Raw]
    message: str | None = None


class ReceivedEvents:
    """Reads the last events of triggers, and waits for the next ones."""

    def __init__(self, isolation: Isolation, hub: Hub, draining: asyncio.Event) -> None:
        self._isolation = isolation
        self._hub = hub
        self._draining = draining

    async def list_last(
        self, principal: Principal, trigger_id: UUID, *, after: UUID | None, seconds: float
    ) -> list[ReceivedView]:
        """The last events, the newest first; with `after`, those that came after it.

        Waits up to so many seconds for an event where there is none to tell. Raises NotFound.
        """
        async with self._isolation.read(principal.workspace_id) as reader:
            if not await has_trigger(reader, trigger_id, principal.workspace_id):
                raise NotFound("There is no such trigger.")
        known = None if seconds <= 0 else await self._wait(principal, trigger_id, after, seconds)
        async with self._isolation.read(principal.workspace_id) as reader:
            events = await list_received(reader, trigger_id, principal.workspace_id, limit=KEPT)
        if known is not None:
            events = [event for event in events if event.id not in known]
        elif after is not None:
            events = [event for event in events if event.id > after]
        return await asyncio.to_thread(lambda: [_show(event) for event in events])

    async def _wait(self, principal: Principal, trigger_id: UUID, after: UUID | None, seconds: float) -> set[UUID]:
        """Wait for an event that is not known; the ids of those that are."""
        deadline = time.monotonic() + seconds
        known: set[UUID] | None = None
        async with self._hub.listen(f"ff:stream:{principal.workspace_id}", is_channel=False) as hints:
            while True:
                async with self._isolation.read(principal.workspace_id) as reader:
                    ids = await list_received_ids(reader, trigger_id, principal.workspace_id, limit=KEPT)
                if known is None:
                    # Compared one by one from now on: of two events, the older one may commit later.
                    known = set(ids) if after is None else {event_id for event_id in ids if event_id <= after}
                left = deadline - time.monotonic()
                if not known.issuperset(ids) or left <= 0 or self._draining.is_set():
                    return known
                await hints.wait(min(left, LOOK_SECONDS))
                # The hints are of all runs of the workspace: a flood of them is one look.
                await asyncio.sleep(REST_SECONDS)


def _show(event: ReceivedEvent) -> ReceivedView:
    trigger: dict[str, msgspec.Raw] | None = None
    message: str | None = None
    if event.queued is not None:
        trigger = msgspec.json.decode(event.queued, type=_Queued).trigger
    elif event.held is not None:
        trigger = msgspec.json.decode(event.held, type=dict[str, msgspec.Raw])
    elif event.filtered is not None:
        kept = msgspec.json.decode(event.filtered, type=_Filtered)
        trigger, message = kept.trigger, kept.message
    return ReceivedView(
        id=event.id,
        outcome=event.outcome,
        reason=event.reason,
        message=None if message is None else mask_text(message),
        run_id=event.run_id,
        received_at=event.received_at,
        trigger=None if trigger is None else {name: show_payload(value) for name, value in trigger.items()},
    )


def show_payload(raw: msgspec.Raw) -> Any:
    """A part of a payload without secrets; of one that is large, the size and the beginning."""
    value = msgspec.json.decode(raw)
    if len(bytes(raw)) <= LARGEST_SHOWN:
        return mask(value)
    # Twice as much as is shown: what is masked may be shorter than it was.
    beginning = msgspec.json.encode(mask(take_beginning(value, 2 * _PREVIEW)))
    return {"preview": beginning.decode()[:_PREVIEW], "size": len(bytes(raw))}
