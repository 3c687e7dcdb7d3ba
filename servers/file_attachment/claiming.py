"""Files whose hooks have to run: claimed, and what the hooks said kept."""

from collections.abc import Callable

from asyncpg import Record

from kari.conversation_models.v1.file_pb2 import File, FileState
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import (
    ClaimedFile,
    ClaimFilesRequest,
    RecordHooksRequest,
)
from servers.file_attachment.keeping import drop_bytes, keep_bytes
from servers.file_attachment.rows import (
    QUARANTINED,
    claimed,
    ended_of,
    file_of,
    merged,
    name_of,
    unknown_file,
)
from servers.file_attachment.tables import QUERIES
from servers.runtime.call import Principal
from servers.runtime.errors import Conflict
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

DEFAULT_LIMIT = 4


class Claiming:
    """Who runs the hooks of a file, and how far they are."""

    def __init__(self, database: Resource[Database], erase_soon: Callable[[], None]) -> None:
        self._database = database
        self._erase_soon = erase_soon

    async def claim(self, request: ClaimFilesRequest) -> list[ClaimedFile]:
        """Leases files of every tenant, in turns."""
        database = await self._database.get()
        async with database.across_tenants() as connection:
            due = await connection.fetch(
                QUERIES.claim_files,
                request.owner,
                request.duration.ToTimedelta().total_seconds(),
                request.limit or DEFAULT_LIMIT,
                request.file_id,
            )
        found = []
        for each in due:
            row = await database.row(each["tenant_id"], QUERIES.file, each["id"])
            if row is not None:  # it was not deleted meanwhile
                found.append(claimed(row, each["tenant_id"]))
        return found

    async def record(self, request: RecordHooksRequest, who: Principal) -> File:
        """Keeps what hooks said. Conflict if somebody else runs them by now, or they are done."""
        async with (await self._database.get()).transaction(who.tenant_id) as connection:
            if request.replaced_by_request_id:
                await connection.execute(QUERIES.lock_quota)
            row = await connection.fetchrow(QUERIES.lock_claimed, request.file_id, request.claim)
            if row is None:
                raise _lost()
            if request.replaced_by_request_id:
                await _replace(connection, row, request.replaced_by_request_id)
            await connection.execute(QUERIES.record_hooks, *_recorded(request, file_of(row)))
            (now,) = await connection.fetch(QUERIES.file, request.file_id)
        if request.replaced_by_request_id:
            self._erase_soon()
        return file_of(now)


def _recorded(request: RecordHooksRequest, file: File) -> tuple[object, ...]:
    """A file that was let through or refused does not go back into quarantine."""
    ended = len(ended_of(file.reports))
    state = request.state
    if state in (FileState.FILE_STATE_UNSPECIFIED, QUARANTINED):
        state = file.state
    metadata = file.metadata
    for name, value in request.metadata.items():
        metadata[name] = value
    reports = merged(file.reports, request.reports)
    return (
        file.id,
        [report.SerializeToString() for report in reports],
        name_of(state),
        request.refused_because or file.refused_because,
        request.done,
        metadata.SerializeToString(),
        request.summary or file.summary,
        request.chunks or file.chunks,
        len(ended_of(reports)) > ended,
        request.under_way if request.HasField("under_way") else None,
        request.put_down,
        request.in_vain,
    )


async def _replace(connection: Connection, row: Record, request_id: str) -> None:
    """Gives a file the bytes of an upload that came to take the place of its own."""
    values = row["user_id"], request_id, row["id"]
    new = await connection.fetchrow(QUERIES.lock_replacing, *values)
    if new is None:
        raise unknown_file()
    await connection.execute(QUERIES.lock_bytes, new["digest"])
    await keep_bytes(connection, new["digest"], row["user_id"], request_id, new["prefix"])
    await connection.execute(QUERIES.replace_bytes, row["id"], new["digest"], new["received_bytes"])
    await connection.execute(QUERIES.forget_replacing, row["user_id"], request_id)
    # Those of earlier claims.
    for left in await connection.fetch(QUERIES.drop_replacing, row["id"]):
        await connection.execute(QUERIES.add_erasure, left["prefix"])
    await drop_bytes(connection, row["sha256"])


def _lost() -> Conflict:
    return Conflict(Reason.REASON_LEASE_LOST, "somebody else runs the hooks of this file by now")
