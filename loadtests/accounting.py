"""Whether every accepted event became one run that ended as it should: asked of the API, in bulk."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from msgspec import Struct

from loadtests.api import Api, Ingest, Receipt, RunRow
from loadtests.place import Prepared
from loadtests.plan import Sent

LOOK_SECONDS: Final = 0.25
# The clocks of sender and product are those of one machine.
MARGIN_SECONDS: Final = 5.0
OPEN: Final = "queued,running,waiting"
ENDED: Final = frozenset({"succeeded", "failed", "cancelled", "timed_out"})


class Account(Struct, kw_only=True):
    """What became of all events. Lists hold run ids, or event ids where they say so."""

    sent: int
    accepted: int
    # What was sent and had no answer, or another one: it may have been accepted or not.
    unanswered: int
    ended: int
    not_found: list[str]
    unexplained: list[str]
    shared: list[str]
    not_ended: list[str]
    ended_otherwise: list[str]
    receipts: int
    receipts_that_disagree: list[str]
    unexplained_receipts: list[str]
    ingest: Ingest
    runs: list[RunRow]

    @property
    def is_balanced(self) -> bool:
        """Whether accepted = ended, each as it should."""
        return self.accepted == self.ended and not (self.not_found or self.ended_otherwise or self.shared)


async def wait_for_ends(api: Api, prepared: Sequence[Prepared], began_at: float, *, seconds: float) -> None:
    """Until no run of ours is under way, or for so many seconds: who has not ended by then is told by the account."""
    ours = {workflow.workflow_id for workflow in prepared}
    deadline = time.monotonic() + seconds
    query = {"since": _since(began_at), "status": OPEN}
    if len(ours) == 1:
        query["workflow_id"] = next(iter(ours))
    while time.monotonic() < deadline:
        async for row in api.runs(**query):
            if row.workflow_id in ours:
                break
        else:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def list_runs(api: Api, prepared: Sequence[Prepared], began_at: float) -> list[RunRow]:
    """Every run of ours: one call for 200 of them, whatever workflow they are of."""
    ours = {workflow.workflow_id for workflow in prepared}
    return [row async for row in api.runs(since=_since(began_at)) if row.workflow_id in ours]


async def list_receipts(api: Api, prepared: Sequence[Prepared], began_at: float) -> list[Receipt]:
    """Every receipt of ours, likewise; rejected ones never promised anything."""
    ours = {workflow.trigger_id for workflow in prepared}
    query = {"since": _since(began_at), "outcome": "started,duplicate,filtered,pending"}
    return [receipt async for receipt in api.receipts(**query) if receipt.trigger_id in ours]


def settle(
    prepared: Sequence[Prepared],
    sent: Sequence[Sent],
    runs: Sequence[RunRow],
    receipts: Sequence[Receipt],
    ingest: Ingest,
) -> Account:
    """Hold what was promised against what is there."""
    promises = [one for one in sent if one.is_accepted]
    accepted = {one.run_id: one for one in promises if one.run_id is not None}
    uses = Counter(one.run_id for one in promises)
    found = {row.id: row for row in runs}
    ends = {workflow.workflow_id: workflow.ends for workflow in prepared}
    written = {receipt.id: receipt for receipt in receipts}
    # An event without an answer may have started a run, and no more than one; one that was sent again has two receipts.
    unanswered = len(sent) - len(promises)
    repeats = sum(one.tries - 1 + one.told_back for one in sent)
    return Account(
        sent=len(sent),
        accepted=len(promises),
        unanswered=unanswered,
        ended=sum(run_id in found and found[run_id].status in ENDED for run_id in accepted),
        not_found=sorted(accepted.keys() - found.keys()),
        unexplained=sorted(found.keys() - accepted.keys())[unanswered:],
        shared=sorted(run_id for run_id, times in uses.items() if run_id is not None and times > 1),
        not_ended=[row.id for row in runs if row.status not in ENDED],
        ended_otherwise=[
            row.id for row in runs if row.status in ENDED and row.status != _expected(row, prepared, accepted, ends)
        ],
        receipts=len(receipts),
        receipts_that_disagree=[
            f"{one.event_id}" for one in promises if not _agrees(one, written.get(one.event_id or ""))
        ],
        unexplained_receipts=sorted(written.keys() - {one.event_id for one in promises})[unanswered + repeats :],
        ingest=ingest,
        runs=list(runs),
    )


def _agrees(event: Sent, receipt: Receipt | None) -> bool:
    """Whether a receipt says of an accepted event what its answer said."""
    outcome = "started" if event.status == HTTPStatus.ACCEPTED else "duplicate"
    return receipt is not None and receipt.outcome == outcome and receipt.run_id == event.run_id


def _expected(row: RunRow, prepared: Sequence[Prepared], accepted: dict[str, Sent], ends: dict[str, str]) -> str:
    """How a run must end: by the workflow that its event was sent to, which must be its own."""
    event = accepted.get(row.id)
    if event is None:
        return ends[row.workflow_id]
    workflow = prepared[event.workflow]
    return workflow.ends if workflow.workflow_id == row.workflow_id else "a run of another workflow"


def _since(began_at: float) -> str:
    return datetime.fromtimestamp(began_at - MARGIN_SECONDS, UTC).isoformat().replace("+00:00", "Z")
