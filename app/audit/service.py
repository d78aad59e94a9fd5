"""What the audit calls do: list, export, verify."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping

from app.audit import repository
from app.audit.entries import Entry, chain
from app.audit.repository import EntryFilter
from app.audit.schemas import AuditEntry, ExportedEntry, Verification
from app.auth.principal import Principal
from app.dependencies import Isolation
from app.errors import InvalidCursor
from app.outages import as_outage
from app.pagination import Page, decode_cursor, make_page
from engine.infra.backoff import Backoff

EXPORT_PAGE: Final = 500
# With the pauses between them, about ten seconds.
EXPORT_TRIES: Final = 10
_MAX_SEQ: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class AuditService:
    """Reads the log of the principal's workspace, in short transactions of its own."""

    def __init__(self, isolation: Isolation, principal: Principal) -> None:
        self._isolation = isolation
        self._workspace_id = principal.workspace_id

    async def list_all(self, chosen: EntryFilter, *, limit: int, cursor: str | None) -> Page[AuditEntry]:
        """Entries that fit, the newest first; raises InvalidCursor."""
        position = decode_cursor(cursor)
        if position is not None and position.int > _MAX_SEQ:
            raise InvalidCursor
        before = None if position is None else position.int
        async with self._isolation.begin(self._workspace_id) as connection:
            rows = await repository.list_entries(connection, self._workspace_id, chosen, before=before, limit=limit + 1)
        return make_page(rows, limit, _show, lambda row: UUID(int=row["seq"]))

    async def export(self, chosen: EntryFilter) -> AsyncGenerator[bytes, None]:
        """Entries that fit, the oldest first, as lines of JSON, once the first ones are read."""
        return self._write_lines(chosen, await self._read(chosen, 0))

    async def _write_lines(self, chosen: EntryFilter, rows: Sequence[RowMapping]) -> AsyncGenerator[bytes, None]:
        while rows:
            yield b"".join(_write_line(row) for row in rows)
            rows = await self._read_patiently(chosen, rows[-1]["seq"])

    async def _read_patiently(self, chosen: EntryFilter, after: int) -> Sequence[RowMapping]:
        """The next entries. The answer has begun: it can be broken off, but not tell why any more."""
        backoff = Backoff()
        for _ in range(EXPORT_TRIES):
            try:
                return await self._read(chosen, after)
            except Exception as error:
                if as_outage(error) is None:
                    raise
                await asyncio.sleep(backoff.pause())
        return await self._read(chosen, after)

    async def verify(self, kept_seq: int | None, kept_hash: str | None) -> Verification:
        """Compute the chain anew. What the caller kept of an earlier answer has to be in it."""
        async with self._isolation.begin(self._workspace_id) as connection:
            head = await repository.find_head(connection, self._workspace_id)
        walk = _Walk(self._workspace_id, kept_seq, kept_hash)
        last = 0 if head is None else head["seq"]
        while walk.is_whole and walk.seq < last:
            rows = await self._read(EntryFilter(), walk.seq)
            for row in rows:
                if row["seq"] <= last:
                    walk.follow(row)
            if not rows or rows[-1]["seq"] > last:
                break
        return walk.end(last, None if head is None else head["hash"])

    async def _read(self, chosen: EntryFilter, after: int) -> Sequence[RowMapping]:
        async with self._isolation.begin(self._workspace_id) as connection:
            return await repository.read_onwards(connection, self._workspace_id, chosen, after=after, limit=EXPORT_PAGE)


class _Walk:
    """Goes along a chain until it breaks."""

    def __init__(self, workspace_id: UUID, kept_seq: int | None, kept_hash: str | None) -> None:
        self._hash = workspace_id.bytes
        self._kept = (kept_seq, (kept_hash or "").lower())
        self._found_kept = kept_seq is None
        self._entries = 0
        self._first: int | None = None
        self._broken: tuple[int, str] | None = None
        self.seq = 0

    @property
    def is_whole(self) -> bool:
        return self._broken is None

    def follow(self, row: RowMapping) -> None:
        """Take the next entry."""
        seq, found = row["seq"], bytes(row["hash"])
        if self._broken is not None:
            return
        if self._first is None:
            # An operator may have put the oldest entries elsewhere: what remains hangs together from its first on.
            self._first = seq
            expected = found if seq > 1 else chain(self._hash, seq, _micros(row["at"]), row["entry"])
        elif seq != self.seq + 1:
            self._broken = (self.seq + 1, "missing")
            return
        else:
            expected = chain(self._hash, seq, _micros(row["at"]), row["entry"])
        if expected != found:
            self._broken = (seq, "changed")
        elif not _agrees(row):
            self._broken = (seq, "columns_changed")
        elif seq == self._kept[0]:
            self._found_kept = True
            if found.hex() != self._kept[1]:
                self._broken = (seq, "other_than_kept")
        self.seq, self._hash = seq, found
        self._entries += 1

    def end(self, last: int, head: bytes | None) -> Verification:
        """What was found, of a chain that ends with `head`."""
        if self._broken is None and self.seq != last:
            self._broken = (self.seq + 1, "missing")
        if self._broken is None and head is not None and bytes(head) != self._hash:
            self._broken = (last, "other_than_head")
        if self._broken is None and not self._found_kept:
            self._broken = (self._kept[0] or 0, "missing")
        broken_at, reason = self._broken or (None, None)
        return Verification(
            valid=self._broken is None,
            entries=self._entries,
            first_seq=self._first,
            last_seq=self.seq or None,
            hash=self._hash.hex() if self._entries else None,
            broken_at=broken_at,
            reason=reason,
        )


def _agrees(row: RowMapping) -> bool:
    """Whether an entry is found by what it says."""
    entry = msgspec.json.decode(row["entry"], type=Entry)
    said: tuple[Any, ...] = (
        entry.action,
        entry.outcome,
        entry.actor.user_id,
        entry.actor.api_key_id,
        None if entry.target is None else entry.target.id,
    )
    return said == tuple(row[name] for name in ("action", "outcome", "user_id", "api_key_id", "target_id"))


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _show(row: RowMapping) -> AuditEntry:
    said = msgspec.structs.asdict(msgspec.json.decode(row["entry"], type=Entry))
    sides = {name: msgspec.json.decode(said.pop(name)) for name in ("before", "after")}
    return AuditEntry(seq=row["seq"], at=row["at"], hash=bytes(row["hash"]).hex(), **said, **sides)


def _write_line(row: RowMapping) -> bytes:
    line = ExportedEntry(
        workspace_id=row["workspace_id"],
        seq=row["seq"],
        at=row["at"],
        entry=msgspec.Raw(row["entry"]),
        hash=bytes(row["hash"]).hex(),
    )
    return msgspec.json.encode(line) + b"\n"
