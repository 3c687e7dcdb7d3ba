"""Receiving uploads: in parts that are safe as they come, so that a cut one goes on."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import structlog
from asyncpg import Record
from prometheus_client import Counter

from kari.conversation_models.v1.file_pb2 import File
from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import (
    UploadEnd,
    UploadRequest,
    UploadResponse,
    UploadStart,
)
from servers.file_attachment.content_type import EDGE_BYTES, content_type
from servers.file_attachment.keeping import Arrived, Keeping
from servers.file_attachment.limits import Allowed, Limits
from servers.file_attachment.naming import cleaned
from servers.file_attachment.parts import PART_BYTES, Layout, folder, name
from servers.file_attachment.store import Objects
from servers.file_attachment.tables import QUERIES
from servers.runtime.call import Principal
from servers.runtime.errors import Conflict, InvalidRequest
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

RECEIVED = Counter("kari_chat_file_bytes_received_total", "Bytes of files that were received.")

log = structlog.get_logger("kari.file_attachment")


@dataclass
class _Edges:
    """SHA-256, beginning and end of what has come so far."""

    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    first: bytes = b""
    last: bytes = b""

    def add(self, data: bytes) -> None:
        self.digest.update(data)
        if len(self.first) < EDGE_BYTES:
            self.first += data[: EDGE_BYTES - len(self.first)]
        self.last = (self.last + data[-EDGE_BYTES:])[-EDGE_BYTES:]


class Receiving:
    """Takes bytes in. One call at a time writes an upload: the last one that began."""

    def __init__(
        self,
        database: Resource[Database],
        objects: Resource[Objects],
        keeping: Keeping,
        limits: Limits,
    ) -> None:
        self._database = database
        self._objects = objects
        self._keeping = keeping
        self._limits = limits

    async def receive(self, steps: AsyncIterator[UploadRequest], who: Principal) -> UploadResponse:
        """Takes an upload to its end, or as far as it comes. What has come of one that is cut is
        kept: the part under way as well, if there is time for that."""
        start = await _start_of(steps)
        allowed = self._limits.of(who.tenant_id, who.roles)
        allowed.require_size(start.size_bytes)
        writer = secrets.token_hex(8)
        row = await self._begin(start, who, writer)
        if row["file_id"]:
            return await self._finished(row, who)
        _require_place(start, row)
        upload = _Upload(self, row, who, allowed, writer)
        await upload.read_back()
        try:
            end = await upload.take(steps)
        finally:
            await asyncio.shield(upload.keep_rest())
        if end.partial:
            return UploadResponse(received_bytes=upload.received)
        return await upload.finish()

    async def progress(self, request_id: str, who: Principal) -> Record | None:
        """The row of an upload of the user; None if there is none."""
        database = await self._database.get()
        return await database.row(who.tenant_id, QUERIES.upload, who.user_id, request_id)

    async def _begin(self, start: UploadStart, who: Principal, writer: str) -> Record:
        database = await self._database.get()
        row = await database.row(
            who.tenant_id,
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
        )
        assert row is not None  # noqa: S101  # it is written or was there
        return row

    async def _finished(self, row: Record, who: Principal) -> UploadResponse:
        file = await self._keeping.file(row["file_id"], who)
        return UploadResponse(file=file, received_bytes=row["received_bytes"])

    async def put(self, key_: str, data: bytes) -> None:
        """Keeps a part."""
        await (await self._objects.get()).put(key_, data)

    async def read(self, key_: str, start: int, length: int) -> bytes:
        """Bytes of a part."""
        return await (await self._objects.get()).read(key_, start, length)

    async def note(self, who: Principal, row: Record, writer: str, part: str, size: int) -> int:
        """Notes a part that is kept; bytes received so far. Conflict if another call has taken the
        upload over."""
        database = await self._database.get()
        received: int | None = await database.value(
            who.tenant_id, QUERIES.add_part, who.user_id, row["request_id"], writer, part, size
        )
        if received is None:
            raise Conflict(
                Reason.REASON_UPLOAD_OFFSET,
                "another call goes on with this upload",
                offset=row["received_bytes"],
            )
        return received

    async def keep(self, who: Principal, arrived: Arrived) -> tuple[File, bool]:
        """Makes a file of what has arrived; whether the tenant had the same bytes."""
        return await self._keeping.keep(who, arrived)


class _Upload:
    """One call's part of an upload. Two parts are in memory at most: one is written while the next
    one comes."""

    def __init__(
        self, receiving: Receiving, row: Record, who: Principal, allowed: Allowed, writer: str
    ) -> None:
        self._receiving = receiving
        self._row = row
        self._who = who
        self._allowed = allowed
        self._writer = writer
        self._folder = folder(who.tenant_id, row["prefix"])
        self._parts = len(row["part_sizes"])
        self._buffer = bytearray()
        self._writing: asyncio.Task[None] | None = None
        self._edges = _Edges()
        self.received = row["received_bytes"]
        self._came = self.received

    async def read_back(self) -> None:
        """Looks again at what came in earlier calls: a digest cannot be put down and taken up."""
        row = self._row
        layout = Layout(self._who.tenant_id, row["prefix"], row["part_names"], row["part_sizes"])
        for piece in layout.pieces(0, self.received):
            data = await self._receiving.read(piece.key, piece.start, piece.length)
            await asyncio.to_thread(self._edges.add, data)

    async def take(self, steps: AsyncIterator[UploadRequest]) -> UploadEnd:
        """Takes bytes up to the end of the call. Conflict if it has none: a call that its client
        called off ends like one that is over, and must not be taken for one."""
        async for step in steps:
            match step.WhichOneof("step"):
                case "data":
                    await self._add(step.data)
                case "end":
                    return step.end
                case _:
                    raise _out_of_order()
        raise _cut(self._came, self._row["size_bytes"])

    async def _add(self, data: bytes) -> None:
        self._buffer += data
        self._came += len(data)
        self._allowed.require_size(self._came)
        announced = self._row["size_bytes"]
        if announced and self._came > announced:
            raise _differs(f"more than the {announced} bytes that were announced came")
        if len(self._buffer) >= PART_BYTES:
            await self._write()

    async def keep_rest(self) -> None:
        """Keeps what is not kept yet."""
        if self._buffer:
            await self._write()
        await self._written()

    async def finish(self) -> UploadResponse:
        """Makes a file of it."""
        digest, edges, row = self._edges.digest.hexdigest(), self._edges, self._row
        if row["size_bytes"] and self.received != row["size_bytes"]:
            raise _cut(self.received, row["size_bytes"])
        if row["sha256"] and digest != row["sha256"]:
            raise _differs("the file that came has another SHA-256 than announced")
        kind = await asyncio.to_thread(content_type, edges.first, edges.last)
        self._allowed.require_type(kind)
        arrived = Arrived(row, self._writer, digest, kind, self.received)
        file, known = await self._receiving.keep(self._who, arrived)
        log.info("file received", file=file.id, size=file.size_bytes, type=kind, known=known)
        return UploadResponse(file=file, received_bytes=self.received, deduplicated=known)

    async def _write(self) -> None:
        data, self._buffer = bytes(self._buffer), bytearray()
        await self._written()
        part = name(self._parts, self._writer)
        self._parts += 1
        self._writing = asyncio.create_task(self._write_part(part, data))

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _write_part(self, part: str, data: bytes) -> None:
        hashing = asyncio.to_thread(self._edges.add, data)
        await asyncio.gather(self._receiving.put(f"{self._folder}{part}", data), hashing)
        self.received = await self._receiving.note(
            self._who, self._row, self._writer, part, len(data)
        )
        RECEIVED.inc(len(data))


async def _start_of(steps: AsyncIterator[UploadRequest]) -> UploadStart:
    async for step in steps:
        if step.WhichOneof("step") == "start":
            return step.start
        break
    raise InvalidRequest(
        Reason.REASON_FIELD_INVALID,
        "the first step of an upload is its start",
        violations=[("start", "is missing")],
    )


def _require_place(start: UploadStart, row: Record) -> None:
    if start.offset != row["received_bytes"]:
        raise Conflict(
            Reason.REASON_UPLOAD_OFFSET,
            f"{row['received_bytes']} bytes of this upload are here: go on from there",
            retryable=True,
            offset=row["received_bytes"],
        )


def _out_of_order() -> InvalidRequest:
    return InvalidRequest(
        Reason.REASON_FIELD_INVALID,
        "after its start an upload has data and an end",
        violations=[("start", "comes once")],
    )


def _differs(message: str) -> InvalidRequest:
    return InvalidRequest(Reason.REASON_UPLOAD_DIFFERS, message)


def _cut(received: int, announced: int) -> Conflict:
    return Conflict(
        Reason.REASON_UPLOAD_OFFSET,
        f"{received} bytes of {announced or 'more'} came; go on from there",
        retryable=True,
        offset=received,
    )
