"""Uploads in Postgres: begun within limits, noted part by part, dropped."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from asyncpg import Record
from prometheus_client import Counter

from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import UploadStart
from servers.file_attachment.limits import Allowed
from servers.file_attachment.naming import cleaned
from servers.file_attachment.repeating import require_same_start
from servers.file_attachment.rows import unknown_file
from servers.file_attachment.tables import QUERIES
from servers.runtime.call import Principal
from servers.runtime.errors import Conflict, InvalidRequest, KariError, RateLimited
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

IDLE = timedelta(hours=1)
"""An upload that nobody went on with for so long makes room for others of its user."""

REFUSALS = frozenset(
    {
        Reason.REASON_TOO_LARGE,
        Reason.REASON_FILE_TYPE,
        Reason.REASON_FILE_QUOTA,
        Reason.REASON_UPLOAD_DIFFERS,
    }
)
"""After these an upload cannot go on: what came of it is erased."""

DROPPED = Counter("kari_chat_uploads_refused_total", "Uploads that were refused under way.")

log = structlog.get_logger("kari.file_attachment")


@dataclass(frozen=True)
class Part:
    """A part that is kept: its name, its size, and how many of the last parts it holds as well."""

    name: str
    size: int
    instead_of: int = 0


class Admitting:
    """Counts uploads under way as bytes that are kept, so that nobody stores more than they may by
    never ending any."""

    def __init__(
        self, database: Resource[Database], uploads_per_user: int, erase_soon: Callable[[], None]
    ) -> None:
        self._database = database
        self._uploads_per_user = uploads_per_user
        self._erase_soon = erase_soon

    async def begin(
        self, start: UploadStart, who: Principal, allowed: Allowed, writer: str
    ) -> Record:
        """The row of an upload, which `writer` writes from now on. RateLimited if there is no room
        for it, or too many others of its user are under way; InvalidRequest if more than its size
        has come before that was told."""
        async with (await self._database.get()).transaction(who.tenant_id) as connection:
            await connection.execute(QUERIES.lock_quota)
            row = await _begun(connection, start, who, writer)
            require_same_start(start, row)
            if row["file_id"] or row["digest"]:
                return row
            if 0 < row["size_bytes"] < row["received_bytes"]:
                raise _too_short(row)
            if row["replaces"]:
                await _require_under_way(connection, row["replaces"], who)
                return row
            try:
                await self._require_place(connection, row, allowed)
            except KariError:
                # All of it is taken back if that does not make room either.
                for prefix in await _give_up(connection, row):
                    await connection.execute(QUERIES.add_erasure, prefix)
                await self._require_place(connection, row, allowed)
            return row

    async def progress(self, request_id: str, who: Principal) -> Record | None:
        """The row of an upload of the user; None if there is none."""
        database = await self._database.get()
        return await database.row(who.tenant_id, QUERIES.upload, who.user_id, request_id)

    async def note(
        self, who: Principal, row: Record, writer: str, part: Part, received: int, allowed: Allowed
    ) -> None:
        """Notes a part that is kept: `received` bytes are safe then. Conflict if another call has
        taken the upload over; RateLimited if there is no room for what was not announced."""
        values = who.user_id, row["request_id"], writer, part.name, part.size, part.instead_of
        database = await self._database.get()
        if row["replaces"] or received <= max(row["size_bytes"], row["expected_bytes"]):
            noted = await database.value(who.tenant_id, QUERIES.add_part, *values)
        else:
            async with database.transaction(who.tenant_id) as connection:
                await connection.execute(QUERIES.lock_quota)
                noted = await connection.fetchval(QUERIES.add_part, *values)
                await require_room(connection, row, received, allowed)
        if noted is None:
            raise taken_over(row["received_bytes"])

    async def drop(self, who: Principal, row: Record, writer: str) -> None:
        """Has what came of a refused upload erased, unless another call has taken it over."""
        async with (await self._database.get()).transaction(who.tenant_id) as connection:
            prefix = await connection.fetchval(
                QUERIES.drop_upload, who.user_id, row["request_id"], writer
            )
            if prefix is None:
                return
            await connection.execute(QUERIES.add_erasure, prefix)
        DROPPED.inc()
        self._erase_soon()
        log.info("upload refused", prefix=prefix)

    async def complete(self, who: Principal, row: Record, writer: str, sha256: str) -> None:
        """Notes that all bytes are here that are to come in the place of a file's."""
        database = await self._database.get()
        values = who.user_id, row["request_id"], writer, sha256
        if await database.value(who.tenant_id, QUERIES.complete_upload, *values) is None:
            raise taken_over(row["received_bytes"])

    async def _require_place(self, connection: Connection, row: Record, allowed: Allowed) -> None:
        others = await require_room(connection, row, row["reserved"], allowed)
        if others >= self._uploads_per_user:
            raise RateLimited(
                Reason.REASON_UPLOAD_LIMIT,
                f"{others} of your uploads are not finished; go on with them, or wait an hour: "
                "those that nobody goes on with make room",
                retryable=False,
                limit=self._uploads_per_user,
            )


async def require_room(connection: Connection, row: Record, size: int, allowed: Allowed) -> int:
    """RateLimited unless there is room for so many bytes of an upload. How many other uploads of
    its user are under way."""
    (used,) = await connection.fetch(QUERIES.used, row["user_id"], row["request_id"])
    allowed.require_room(size, used=used["own"], tenant_used=used["tenant"])
    others: int = used["uploads"]
    return others


def taken_over(received: int) -> Conflict:
    """Another call writes the upload by now."""
    return Conflict(
        Reason.REASON_UPLOAD_OFFSET, "another call goes on with this upload", offset=received
    )


def _too_short(row: Record) -> InvalidRequest:
    """Nothing is known of it but what came: it goes on with another size."""
    return InvalidRequest(
        Reason.REASON_UPLOAD_DIFFERS,
        f"{row['received_bytes']} bytes of this upload are here, more than the "
        f"{row['size_bytes']} that it is said to have",
    )


async def _begun(connection: Connection, start: UploadStart, who: Principal, writer: str) -> Record:
    (row,) = await connection.fetch(
        QUERIES.begin_upload,
        who.user_id,
        start.request_id,
        secrets.token_hex(16),
        cleaned(start.name),
        start.size_bytes,
        start.sha256,
        start.conversation_id,
        start.strip_metadata,
        writer,
        start.expected_bytes,
        start.replaces_file_id,
    )
    return row


async def _require_under_way(connection: Connection, file_id: str, who: Principal) -> None:
    """NotFound unless it is a file of the user at which hooks look."""
    if not await connection.fetchval(QUERIES.looked_at, file_id, who.user_id):
        raise unknown_file()


async def _give_up(connection: Connection, row: Record) -> Sequence[str]:
    values = row["user_id"], row["request_id"], IDLE
    return [each["prefix"] for each in await connection.fetch(QUERIES.give_up_idle, *values)]
