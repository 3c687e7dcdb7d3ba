"""One call's part of an upload."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import structlog
from asyncpg import Record
from prometheus_client import Counter

from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import UploadEnd, UploadRequest, UploadResponse
from servers.file_attachment.admitting import REFUSALS, Admitting, Part
from servers.file_attachment.content_type import EDGE_BYTES, UNKNOWN, content_type
from servers.file_attachment.edges import Edges, PutDown
from servers.file_attachment.keeping import Arrived, Keeping
from servers.file_attachment.limits import Allowed
from servers.file_attachment.parts import PART_BYTES, Layout, folder, merged, name
from servers.file_attachment.room import Room
from servers.file_attachment.store import Objects
from servers.runtime.call import Principal
from servers.runtime.chunk import Chunk, Gathered, Piece
from servers.runtime.errors import Conflict, InvalidRequest, KariError

RECEIVED = Counter("kari_chat_file_bytes_received_total", "Bytes of files that were received.")

log = structlog.get_logger("kari.file_attachment")


class Upload:
    """Up to two parts are written while the next one comes, so that neither the disk nor who sends
    waits for the other. They are noted in their order, and behind one that failed none is."""

    def __init__(
        self,
        row: Record,
        who: Principal,
        writer: str,
        *,
        allowed: Allowed,
        admitting: Admitting,
        keeping: Keeping,
        objects: Objects,
        room: Room,
        put_down: PutDown,
    ) -> None:
        self._row = row
        self._who = who
        self._writer = writer
        self._allowed = allowed
        self._admitting = admitting
        self._keeping = keeping
        self._objects = objects
        self._room = room
        self._put_down = put_down
        self._layout = Layout(
            who.tenant_id, row["prefix"], list(row["part_names"]), list(row["part_sizes"])
        )
        self._received: int = row["received_bytes"]
        # Without one, what came in earlier calls is read when all of it is here.
        self._edges = put_down.take(row["prefix"], self._received) if self._received else Edges()
        self._gathered = Gathered()
        self._came = self._received
        self._number = len(row["part_sizes"])
        self._judged = self._received > 0
        self._began = False
        self._writing: deque[asyncio.Task[None]] = deque()
        self._latest: asyncio.Task[None] | None = None
        self._hashing = asyncio.Lock()
        self._over = False
        self._dropped = False

    async def take(self, steps: AsyncIterator[UploadRequest | Chunk]) -> UploadEnd:
        """Takes bytes up to the end of the call. Conflict if it has none: a call that its client
        called off ends like one that is over, and must not be taken for one."""
        async for step in steps:
            if isinstance(step, Chunk):
                await self._add(step.data)
            elif step.WhichOneof("step") == "end":
                return step.end
            else:
                raise _out_of_order()
        raise _cut(self._came, self._row["size_bytes"])

    async def keep_rest(self) -> None:
        """Keeps what is not kept yet; nothing of a refused upload."""
        try:
            if self._gathered.size:
                await self._write()
            await self._written()
        except KariError as error:
            self._gathered.take()
            if error.reason in REFUSALS:
                await self.drop()
            raise

    @property
    def received(self) -> int:
        """Bytes that are safe."""
        return self._received

    def put_down(self) -> None:
        """More may follow in another call: what was found out is remembered for it, as far as it is
        of bytes that are safe."""
        edges, self._edges = self._edges, None
        if not self._over and edges is not None and edges.size == self._received:
            self._put_down.keep(self._row["prefix"], edges)

    def let_go(self) -> None:
        """Another call goes on with it: what is not being written is that one's to bring."""
        self._gathered.take()

    async def drop(self) -> None:
        """Has all of it erased: it is refused."""
        if self._dropped:
            return
        self._dropped = self._over = True
        self._gathered.take()
        with suppress(KariError):  # it is told by what refuses the upload
            await self._written()
        await self._admitting.drop(self._who, self._row, self._writer)

    async def finish(self) -> UploadResponse:
        """Makes a file of it, or keeps it ready to come in the place of one."""
        row = self._row
        if row["size_bytes"] and self._received != row["size_bytes"]:
            raise _cut(self._received, row["size_bytes"])
        edges = self._edges if self._edges is not None else await self._read_back()
        digest = edges.digest.hexdigest()
        if row["sha256"] and digest != row["sha256"]:
            raise _differs("the file that came has another SHA-256 than announced")
        self._over = True
        if row["replaces"]:
            await self._admitting.complete(self._who, row, self._writer, digest)
            return UploadResponse(received_bytes=self._received)
        kind = await asyncio.to_thread(content_type, edges.first, edges.last)
        self._allowed.require_type(kind)
        gone = await self._gone(digest)
        arrived = Arrived(row, self._writer, digest, kind, self._received, gone)
        file, own = await self._keeping.keep(self._who, arrived)
        log.info("file received", file=file.id, size=file.size_bytes, type=kind)
        return UploadResponse(file=file, received_bytes=self._received, deduplicated=own)

    async def _gone(self, digest: str) -> str:
        """Prefix of the tenant's bytes of this digest, if they are not all in the store any more:
        what has come must not be thrown away for them."""
        known = await self._keeping.known(self._who, digest)
        if known is None:
            return ""
        there = await self._objects.names(folder(self._who.tenant_id, known["prefix"]))
        if there.issuperset(known["part_names"]):
            return ""
        log.error("bytes were gone and have come again", sha256=digest, prefix=known["prefix"])
        return str(known["prefix"])

    async def _add(self, data: memoryview) -> None:
        self._gathered.add(data)
        self._came += len(data)
        self._allowed.require_size(self._came)
        announced = self._row["size_bytes"]
        if announced and self._came > announced:
            raise _differs(f"more than the {announced} bytes that were announced came")
        if not self._judged and self._gathered.size >= EDGE_BYTES:
            await self._judge()
        if self._gathered.size >= self._room.part_bytes:
            await self._write()

    async def _judge(self) -> None:
        """Refuses what begins like something that is not taken, before any of it is stored. The
        end may still say more of what a beginning does not tell."""
        self._judged = True
        first = self._gathered.first(EDGE_BYTES)
        kind = await asyncio.to_thread(content_type, first, first)
        if kind != UNKNOWN and not self._row["replaces"]:
            self._allowed.require_type(kind)

    async def _write(self) -> None:
        while len(self._writing) >= self._room.parts_at_once:
            await self._oldest()
        held = await self._tail(self._gathered.size)
        pieces = self._gathered.take()
        part = name(self._number, self._writer)
        self._number += 1
        writing = self._write_part(part, held, pieces, self._latest)
        self._latest = asyncio.create_task(writing)
        self._writing.append(self._latest)

    async def _tail(self, size: int) -> Sequence[tuple[str, bytes]]:
        """Small parts at the end of what earlier calls brought, with their keys: they are written
        again together with what comes, so that many small calls do not leave many small parts."""
        began, self._began = self._began, True
        count = 0 if began else merged(self._layout.sizes, size, PART_BYTES)
        keys = [f"{self._layout.folder}{each}" for each in self._layout.names]
        tail = list(zip(keys, self._layout.sizes, strict=True))[len(keys) - count :]
        return [(key, await self._objects.read(key, 0, length)) for key, length in tail]

    async def _oldest(self) -> None:
        """Until the first part that is being written is safe. It goes on if the caller does not."""
        oldest = self._writing[0]
        await asyncio.wait({oldest})
        if oldest in self._writing:
            self._writing.remove(oldest)
        oldest.result()

    async def _written(self) -> None:
        """Until nothing is being written any more; raises what the first part failed with."""
        writing = list(self._writing)
        if writing:
            await asyncio.wait(writing)
        self._writing.clear()
        failed = [each for each in writing if each.cancelled() or each.exception() is not None]
        if failed:
            failed[0].result()

    async def _write_part(
        self,
        part: str,
        held: Sequence[tuple[str, bytes]],
        pieces: Sequence[Piece],
        before: asyncio.Task[None] | None,
    ) -> None:
        new = sum(map(len, pieces))
        data = [*(old for _, old in held), *pieces]
        key = f"{folder(self._who.tenant_id, self._row['prefix'])}{part}"
        await asyncio.gather(self._objects.put(key, data), self._hash(pieces))
        if before is not None:
            await self._noted(before, key)
        size = sum(map(len, data))
        await self._note(key, Part(part, size, len(held)), self._received + new)
        RECEIVED.inc(new)
        for old, _ in held:
            await self._objects.drop(old)

    async def _noted(self, before: asyncio.Task[None], key: str) -> None:
        await asyncio.wait({before})
        if before.cancelled() or before.exception() is not None:
            await self._objects.drop(key)
        before.result()

    async def _note(self, key: str, part: Part, received: int) -> None:
        try:
            await self._admitting.note(
                self._who, self._row, self._writer, part, received, self._allowed
            )
        except Conflict:
            # Whoever goes on may have it erased by now: it must not lie there for ever.
            await self._objects.drop(key)
            raise
        self._received = received

    async def _hash(self, pieces: Sequence[Piece]) -> None:
        """Whoever comes first to the lock is first: parts come in their order."""
        edges = self._edges
        if edges is not None:
            async with self._hashing:
                await asyncio.to_thread(edges.add, pieces)

    async def _read_back(self) -> Edges:
        """What came in calls to other processes, or long ago: read once, when all of it is here,
        the next part while one is hashed."""
        row = await self._admitting.progress(self._row["request_id"], self._who)
        if row is None or row["writer"] != self._writer:
            raise _cut(self._received, self._row["size_bytes"])
        edges, hashing = Edges(), None
        whole = Layout(self._who.tenant_id, row["prefix"], row["part_names"], row["part_sizes"])
        for piece in whole.pieces(0, self._received):
            data = await self._objects.read(piece.key, piece.start, piece.length)
            if hashing is not None:
                await hashing
            hashing = asyncio.create_task(asyncio.to_thread(edges.add, [data]))
        if hashing is not None:
            await hashing
        return edges


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
