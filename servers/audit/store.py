"""The trail in Postgres: appended to, one group of entries at a time, and read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from asyncpg import Record as Row

from kari.audit.v1.audit_pb2 import Record
from kari.conversation_models.v1.audit_pb2 import AuditEntry
from servers.audit.chain import Key, chained
from servers.audit.verification import Head
from servers.runtime.postgres import Connection, Database
from servers.runtime.queries import Queries
from servers.runtime.resources import Resource

QUERIES = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True)
class Reported:
    """An entry and the server that reports it."""

    server: str
    entry: AuditEntry


class Trail:
    """The only writer of the trail."""

    def __init__(self, database: Resource[Database], key: Key) -> None:
        self._database = database
        self._key = key

    async def append(self, reports: Sequence[Reported]) -> list[int]:
        """Keeps entries, in one transaction; gives the place of each. One that is known has the
        place that it was given first."""
        async with (await self._database.get()).across_tenants() as connection:
            await connection.execute(QUERIES.lock)
            ids = [report.entry.id for report in reports]
            known = {row["id"]: row["sequence"] for row in await _known(connection, ids)}
            new = {r.entry.id: r for r in reports if r.entry.id not in known}
            if new:
                records = await self._chained(connection, list(new.values()))
                await self._write(connection, records)
                known |= {record.entry.id: record.sequence for record in records}
        return [known[id_] for id_ in ids]

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

    async def last(self) -> int:
        """Place of the last record; 0 if there is none."""
        async with (await self._database.get()).across_tenants() as connection:
            last: int = await connection.fetchval(QUERIES.last)
            return last

    async def head(self) -> Head | None:
        """The end of the trail as it was noted; None if it was never written to."""
        async with (await self._database.get()).across_tenants() as connection:
            return await _head(connection)

    async def _chained(self, connection: Connection, new: Sequence[Reported]) -> list[Record]:
        head = await _head(connection)
        last = Record(sequence=head.sequence, mac=head.code) if head else Record()
        records = list[Record]()
        for report in new:
            records += chained(self._key, last, report.server, [report.entry])
            last = records[-1]
        return records

    async def _write(self, connection: Connection, records: Sequence[Record]) -> None:
        await connection.execute(QUERIES.append, *zip(*map(_row, records), strict=True))
        last = records[-1]
        mac = self._key.head(last.sequence, last.mac)
        await connection.execute(QUERIES.set_head, last.sequence, last.mac, mac)


async def _known(connection: Connection, ids: Sequence[str]) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(QUERIES.known, list(ids))
    return rows


async def _head(connection: Connection) -> Head | None:
    row = await connection.fetchrow(QUERIES.head)
    return None if row is None else Head(row["sequence"], row["code"], row["mac"])


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


def _record(row: Row) -> Record:
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
    return Record(sequence=row["sequence"], entry=entry, server=row["server"], mac=row["mac"])
