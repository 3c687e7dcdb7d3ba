"""Files in Postgres: made of what has arrived, looked at, used, deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asyncpg import Record

from kari.conversation_models.v1.file_pb2 import File
from kari.file_attachment.v1.file_attachment_pb2 import ListFilesRequest
from servers.file_attachment.admitting import taken_over
from servers.file_attachment.limits import Limits
from servers.file_attachment.parts import Layout
from servers.file_attachment.rows import file_of, require_readable, unknown_file, visible_to
from servers.file_attachment.tables import QUERIES
from servers.runtime import paging
from servers.runtime.call import Principal, current
from servers.runtime.ids import new_id
from servers.runtime.postgres import Connection, Database
from servers.runtime.resources import Resource

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Arrived:
    """An upload whose bytes are all here. `upload` is its row."""

    upload: Record
    writer: str
    sha256: str
    content_type: str
    size_bytes: int
    gone: str = ""
    """Prefix of bytes that are known by this digest and are not in the store any more."""


@dataclass(frozen=True)
class Stored:
    """A file and where its bytes lie."""

    file: File
    layout: Layout


class Keeping:
    """What users see of their files; of others' they see nothing."""

    def __init__(
        self, database: Resource[Database], limits: Limits, erase_soon: Callable[[], None]
    ) -> None:
        self._database = database
        self._limits = limits
        self._erase_soon = erase_soon

    async def keep(self, who: Principal, arrived: Arrived) -> tuple[File, bool]:
        """Makes a file, within the user's and the tenant's quota. The same bytes are kept once a
        tenant: those that have just come are erased then. Whether another file of the user has
        them; of others' nothing is told."""
        row = arrived.upload
        async with (await self._database.get()).transaction(who.tenant_id) as connection:
            await connection.execute(QUERIES.lock_quota)
            known_id = await connection.fetchval(
                QUERIES.lock_upload, who.user_id, row["request_id"], arrived.writer
            )
            if known_id is None:
                raise taken_over(arrived.size_bytes)
            if known_id:
                return await _file(connection, known_id), False
            await connection.execute(QUERIES.lock_bytes, arrived.sha256)
            own = await self._require_room(connection, who, arrived)
            known = not await keep_bytes(
                connection,
                arrived.sha256,
                who.user_id,
                row["request_id"],
                row["prefix"],
                arrived.gone,
            )
            file_id = await _add_file(connection, who, arrived)
            file = await _file(connection, file_id)
        if known:
            self._erase_soon()
        return file, own

    async def file(self, file_id: str, who: Principal, conversation_id: str = "") -> File:
        """A file that the user may see."""
        database = await self._database.get()
        row = await database.row(who.tenant_id, QUERIES.file, file_id)
        return visible_to(row, who.user_id, conversation_id)

    async def known(self, who: Principal, sha256: str) -> Record | None:
        """Where the tenant's bytes of a digest lie, if it has them."""
        database = await self._database.get()
        return await database.row(who.tenant_id, QUERIES.bytes_known, sha256)

    async def readable(
        self, file_id: str, who: Principal, conversation_id: str, *, for_hooks: bool
    ) -> Stored:
        """A file whose bytes the user may read, and where they lie."""
        file = await self.file(file_id, who, conversation_id)
        require_readable(file, for_hooks=for_hooks)
        row = await (await self._database.get()).row(who.tenant_id, QUERIES.bytes_of, file_id)
        if row is None:
            raise unknown_file()
        names, sizes = row["part_names"], row["part_sizes"]
        return Stored(file, Layout(who.tenant_id, row["prefix"], names, sizes))

    async def page(self, request: ListFilesRequest, who: Principal) -> tuple[list[File], str]:
        """A page of the user's files, or of a conversation's, and the token of the next one."""
        size = paging.size_of(request.page_size)
        before, id_ = _place(request.page_token)
        query, of = QUERIES.files_of_user, who.user_id
        if request.conversation_id:
            query, of = QUERIES.files_of_conversation, request.conversation_id
        database = await self._database.get()
        rows = await database.rows(who.tenant_id, query, of, before, id_, size + 1)
        files = [file_of(row) for row in rows[:size]]
        return files, _token(rows[size - 1]) if len(rows) > size else ""

    async def used(self, who: Principal) -> tuple[int, int]:
        """Bytes that the user has, with those of uploads under way, and may have."""
        database = await self._database.get()
        used = await database.value(who.tenant_id, QUERIES.used_by_user, who.user_id)
        return used, self._limits.of(who.tenant_id, who.roles).quota_bytes

    async def delete(self, file_id: str, who: Principal) -> bool:
        """Deletes a file of the user, and its bytes when no other file has them. Whether no other
        of the user has; of others' nothing is told."""
        async with (await self._database.get()).transaction(who.tenant_id) as connection:
            await connection.execute(QUERIES.lock_quota)
            sha256 = await connection.fetchval(QUERIES.lock_file, file_id, who.user_id)
            if sha256 is None:
                raise unknown_file()
            values = who.user_id, sha256, file_id
            another: bool = await connection.fetchval(QUERIES.has_another, *values)
            await connection.execute(QUERIES.forget_upload, file_id)
            for row in await connection.fetch(QUERIES.drop_replacing, file_id):
                await connection.execute(QUERIES.add_erasure, row["prefix"])
            await connection.execute(QUERIES.delete_file, file_id)
            await drop_bytes(connection, sha256)
        self._erase_soon()
        return not another

    async def attach(
        self, file_ids: Sequence[str], who: Principal, conversation_id: str, message_id: str
    ) -> list[File]:
        """Ties files of the user, which have to be ready, to a conversation and a message; without
        a message it only says whether that can be done."""
        async with (await self._database.get()).transaction(who.tenant_id) as connection:
            files = [await _file(connection, file_id) for file_id in file_ids]
            for file in files:
                if file.user_id != who.user_id:
                    raise unknown_file()
                require_readable(file, for_hooks=False)
            if not message_id:
                return files
            for file_id in file_ids:
                await connection.execute(QUERIES.use_file, file_id, conversation_id, message_id)
            return [await _file(connection, file_id) for file_id in file_ids]

    async def _require_room(self, connection: Connection, who: Principal, arrived: Arrived) -> bool:
        """RateLimited if there is no room. Whether another file of the user has the bytes."""
        values = who.user_id, arrived.upload["request_id"]
        (used,) = await connection.fetch(QUERIES.used, *values)
        (has,) = await connection.fetch(QUERIES.has_bytes, arrived.sha256, who.user_id)
        size = 0 if has["own"] else arrived.size_bytes
        # Bytes that the tenant has already take no room of its own again.
        tenant_used = used["tenant"] - (size if has["tenant"] else 0)
        allowed = self._limits.of(who.tenant_id, who.roles)
        allowed.require_room(size, used=used["own"], tenant_used=tenant_used)
        own: bool = has["own"]
        return own


async def drop_bytes(connection: Connection, sha256: str) -> None:
    """Has bytes erased if no file has them any more."""
    await connection.execute(QUERIES.lock_bytes, sha256)
    row = await connection.fetchrow(QUERIES.drop_bytes, sha256)
    if row is not None:
        await connection.execute(QUERIES.add_erasure, row["prefix"])


async def keep_bytes(
    connection: Connection,
    sha256: str,
    user_id: str,
    request_id: str,
    prefix: str,
    gone: str = "",
) -> bool:
    """Whether the bytes of an upload are new, or come for those below a prefix that are gone: the
    files that have them can be read again then. If neither, those that have just come wait to be
    erased."""
    new = await connection.fetchval(QUERIES.keep_bytes, sha256, user_id, request_id, gone)
    if new is None:
        await connection.execute(QUERIES.add_erasure, prefix)
    elif gone:
        await connection.execute(QUERIES.add_erasure, gone)
    return new is not None


async def _add_file(connection: Connection, who: Principal, arrived: Arrived) -> str:
    row, file_id = arrived.upload, new_id("file")
    await connection.execute(
        QUERIES.add_file,
        file_id,
        who.user_id,
        sorted(who.roles),
        arrived.sha256,
        row["name"],
        arrived.size_bytes,
        arrived.content_type,
        row["conversation_id"],
        row["strip_metadata"],
        current().correlation_id,
    )
    if row["conversation_id"]:
        await connection.execute(QUERIES.use_file, file_id, row["conversation_id"], "")
    values = who.user_id, row["request_id"], file_id, arrived.sha256
    await connection.execute(QUERIES.finish_upload, *values)
    return file_id


async def _file(connection: Connection, file_id: str) -> File:
    row = await connection.fetchrow(QUERIES.file, file_id)
    if row is None:
        raise unknown_file()
    return file_of(row)


def _place(token: str) -> tuple[datetime, str]:
    place = paging.place_of(token, int, str)
    if place is None:
        return LATEST, ""
    try:
        return EPOCH + int(place[0]) * MICROSECOND, str(place[1])
    except OverflowError:  # a made-up token names no time there is
        return LATEST, ""


def _token(row: Record) -> str:
    return paging.token_of((row["created_at"] - EPOCH) // MICROSECOND, row["id"])
