"""The trail in Postgres: appended to, one group of entries at a time, and read."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import structlog
from asyncpg import Record as Row
from asyncpg import UniqueViolationError
from prometheus_client import Counter

from kari.audit.v1.audit_pb2 import Record
from kari.conversation_models.v1.audit_pb2 import AuditEntry
from servers.audit.chain import Key, chained
from servers.audit.verification import Head
from servers.runtime.postgres import Database
from servers.runtime.queries import Queries
from servers.runtime.resources import Resource

DAMAGED = Counter(
    "kari_audit_damage_total", "Times that the end of the trail was not what was written."
)
log = structlog.get_logger("kari.audit")

NO_RECORD = {"damage": "what is stored here is no record"}
QUERIES = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True)
class Reported:
    """An entry and the server that reports it."""

    server: str
    entry: AuditEntry


class Trail:
    """The only writer of the trail. Its end is remembered: a write says from which end it goes
    on, and does nothing if somebody else has moved that meanwhile, so that nobody is locked out."""

    def __init__(self, database: Resource[Database], key: Key) -> None:
        self._database = database
        self._key = key
        self._end: Record | None = None
        self.appended = Record()
        """The last record that was appended here."""

    async def append(self, reports: Sequence[Reported]) -> list[int]:
        """Keeps entries, all or none; gives the place of each. One that is known has the place that
        it was given first. One call at a time."""
        database = await self._database.get()
        while True:
            # Forgotten until it is known what became of the write.
            remembered, self._end = self._end, None
            known = dict[str, int]()
            if remembered is not None:
                noted = end = remembered
            else:
                # The ends first: `_write` notices what others add after that.
                noted, end = await self._stored_ends()
                known = await _known(database, reports)
            new = {r.entry.id: r for r in reports if r.entry.id not in known}
            records = self._chained(end, new.values())
            try:
                if not await self._write(database, noted, records):
                    continue
            except UniqueViolationError:
                if remembered is None:
                    raise
                continue
            self._end = records[-1] if records else end
            if records:
                self.appended = records[-1]
            known |= {record.entry.id: record.sequence for record in records}
            return [known[report.entry.id] for report in reports]

    async def after(self, sequence: int, most: int) -> list[Record]:
        """The next records behind a place, the oldest first."""
        async with (await self._database.get()).across_tenants() as connection:
            return [_record(row) for row in await connection.fetch(QUERIES.after, sequence, most)]

    async def matching(
        self, after: int, through: int, tenant_id: str, user_id: str, action: str, most: int
    ) -> list[Record]:
        """Records between two places that match; empty texts match all."""
        async with (await self._database.get()).across_tenants() as connection:
            rows = await connection.fetch(
                QUERIES.matching, after, through, tenant_id, user_id, action, most
            )
        return [_record(row) for row in rows]

    async def before_last(
        self, through: int, tenant_id: str, user_id: str, action: str, count: int
    ) -> int:
        """The place behind which the last `count` records that match begin."""
        async with (await self._database.get()).across_tenants() as connection:
            place: int = await connection.fetchval(
                QUERIES.before_last, through, tenant_id, user_id, action, count
            )
            return place

    async def code_at(self, sequence: int) -> bytes | None:
        """The code of a record; None if there is none."""
        async with (await self._database.get()).across_tenants() as connection:
            code: bytes | None = await connection.fetchval(QUERIES.code_at, sequence)
            return code

    async def last(self) -> int:
        """Place of the last record; 0 if there is none."""
        async with (await self._database.get()).across_tenants() as connection:
            last: int = await connection.fetchval(QUERIES.last)
            return last

    async def head(self) -> Head | None:
        """The end of the trail as it was noted; None if it was never written to."""
        row = await (await self._database.get()).row("", QUERIES.head)
        return None if row is None else Head(row["sequence"], row["code"], row["mac"])

    async def _stored_ends(self) -> tuple[Record, Record]:
        """The end that the store has noted, and the one behind which records are added: whatever
        is noted, or nobody could work while damage is looked into; but that is logged as an error
        and counted."""
        (row,) = await (await self._database.get()).rows("", QUERIES.ends)
        noted = _end(row["sequence"], row["code"])
        last = _end(row["last_sequence"], row["last_code"])
        if noted.sequence and not self._key.is_head(row["mac"], noted.sequence, noted.mac):
            DAMAGED.inc()
            log.error("the end of the trail was forged", sequence=noted.sequence)
        if noted.sequence < max(last.sequence, self.appended.sequence):
            DAMAGED.inc()
            log.error(
                "the end of the trail was moved back",
                sequence=noted.sequence,
                last=last.sequence,
                appended=self.appended.sequence,
            )
        return noted, last if last.sequence > noted.sequence else noted

    def _chained(self, end: Record, new: Iterable[Reported]) -> list[Record]:
        records, last = list[Record](), end
        for report in new:
            records += chained(self._key, last, report.server, [report.entry])
            last = records[-1]
        return records

    async def _write(self, database: Database, noted: Record, records: Sequence[Record]) -> bool:
        """False if another end is noted by now."""
        if not records:
            return True
        last = records[-1]
        mac = self._key.head(last.sequence, last.mac)
        columns = zip(*map(_row, records), strict=True)
        moved = await database.value(
            "", QUERIES.append, noted.sequence, noted.mac, last.sequence, last.mac, mac, *columns
        )
        return moved is not None


async def _known(database: Database, reports: Sequence[Reported]) -> dict[str, int]:
    ids = [report.entry.id for report in reports]
    return {row["id"]: row["sequence"] for row in await database.rows("", QUERIES.known, ids)}


def _row(record: Record) -> tuple[object, ...]:
    entry = record.entry
    return (
        record.sequence,
        entry.id,
        entry.happened_at.ToDatetime(UTC),
        record.server,
        entry.tenant_id,
        entry.user_id,
        entry.action,
        entry.resource,
        entry.outcome,
        entry.reason,
        entry.correlation_id,
        json.dumps(dict(entry.details), sort_keys=True),
        record.mac,
    )


def _end(sequence: int | None, code: bytes | None) -> Record:
    return Record(sequence=sequence or 0, mac=code or b"")


def _record(row: Row) -> Record:
    """A record; of a row that somebody has made something else of, one that no key has made."""
    made = Record(sequence=row["sequence"], server=row["server"], mac=row["mac"])
    try:
        made.entry.CopyFrom(_entry(row))
    except (TypeError, ValueError, OverflowError) as error:
        log.warning("no record", sequence=made.sequence, error=type(error).__name__)
        made.mac = b""
        made.entry.CopyFrom(AuditEntry(id=row["id"], action=row["action"], details=NO_RECORD))
    return made


def _entry(row: Row) -> AuditEntry:
    entry = AuditEntry(
        id=row["id"],
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        action=row["action"],
        resource=row["resource"],
        outcome=row["outcome"],
        reason=row["reason"],
        correlation_id=row["correlation_id"],
        details=json.loads(row["details"]),
    )
    entry.happened_at.FromDatetime(row["happened_at"])
    return entry
