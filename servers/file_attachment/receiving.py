"""Receiving uploads: in parts that are safe as they come, so that a cut one goes on."""

import asyncio
import secrets
from collections.abc import AsyncIterator

from asyncpg import Record

from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import (
    UploadRequest,
    UploadResponse,
    UploadStart,
)
from servers.file_attachment.admitting import REFUSALS, Admitting, taken_over
from servers.file_attachment.edges import PutDown
from servers.file_attachment.keeping import Keeping
from servers.file_attachment.limits import Limits
from servers.file_attachment.repeating import require_same_bytes
from servers.file_attachment.room import Room
from servers.file_attachment.steps import Overtaken, Silent, steps_while_heard
from servers.file_attachment.store import Objects
from servers.file_attachment.upload import Upload
from servers.runtime.call import Principal
from servers.runtime.chunk import Chunk
from servers.runtime.errors import Conflict, InvalidRequest, KariError
from servers.runtime.interceptors.validation import validate
from servers.runtime.resources import Resource


class Receiving:
    """Takes bytes in. One call at a time writes an upload: the last one that began."""

    def __init__(
        self,
        admitting: Admitting,
        objects: Resource[Objects],
        keeping: Keeping,
        limits: Limits,
        room: Room,
        idle_seconds: float,
    ) -> None:
        self._admitting = admitting
        self._objects = objects
        self._keeping = keeping
        self._limits = limits
        self._room = room
        self._idle_seconds = idle_seconds
        self._put_down = PutDown()

    async def receive(
        self, steps: AsyncIterator[UploadRequest | Chunk], who: Principal
    ) -> UploadResponse:
        """Takes an upload to its end, or as far as it comes. What has come of one that is cut is
        kept: the part under way as well, if there is time for that. What has come of one that is
        refused is erased."""
        start = await _start_of(steps)
        allowed = self._limits.of(who.tenant_id, who.roles)
        allowed.require_size(max(start.size_bytes, start.expected_bytes))
        # What hooks make of a file comes for its user, who has not asked for it.
        counts = not start.replaces_file_id
        user = who.tenant_id, who.user_id
        with self._room.call(user, start.request_id, counts=counts) as place:
            writer = secrets.token_hex(8)
            row = await self._admitting.begin(start, who, allowed, writer)
            if row["file_id"] or row["digest"]:
                if not row["replaces"]:
                    await require_same_bytes(steps, start, row)
                return await self._finished(row, who)
            _require_place(start, row)
            upload = Upload(
                row,
                who,
                writer,
                allowed=allowed,
                admitting=self._admitting,
                keeping=self._keeping,
                objects=await self._objects.get(),
                room=self._room,
                put_down=self._put_down,
            )
            return await _taken(upload, steps_while_heard(steps, place, self._idle_seconds))

    async def progress(self, request_id: str, who: Principal) -> Record | None:
        """The row of an upload of the user; None if there is none."""
        return await self._admitting.progress(request_id, who)

    async def _finished(self, row: Record, who: Principal) -> UploadResponse:
        file = await self._keeping.file(row["file_id"], who) if row["file_id"] else None
        return UploadResponse(file=file, received_bytes=row["received_bytes"])


async def _taken(upload: Upload, steps: AsyncIterator[UploadRequest | Chunk]) -> UploadResponse:
    """What became of one call. Whatever ends it, nobody waits for a part half written."""
    try:
        end = await upload.take(steps)
        if end.discard:
            await upload.drop()
            return UploadResponse()
        await upload.keep_rest()
        if end.partial:
            return UploadResponse(received_bytes=upload.received)
        return await upload.finish()
    except Overtaken:
        upload.let_go()
        raise taken_over(upload.received) from None
    except Silent as silence:
        await upload.keep_rest()
        raise _silent(silence.seconds, upload.received) from None
    except KariError as error:
        if error.reason in REFUSALS:
            await asyncio.shield(upload.drop())
        raise
    finally:
        await asyncio.shield(upload.keep_rest())
        upload.put_down()


async def _start_of(steps: AsyncIterator[UploadRequest | Chunk]) -> UploadStart:
    async for step in steps:
        if not isinstance(step, Chunk) and step.WhichOneof("step") == "start":
            validate(step.start)
            return step.start
        break
    raise InvalidRequest(
        Reason.REASON_FIELD_INVALID,
        "the first step of an upload is its start",
        violations=[("start", "is missing")],
    )


def _silent(seconds: float, received: int) -> Conflict:
    return Conflict(
        Reason.REASON_UPLOAD_OFFSET,
        f"nothing came for {seconds:g} s; {received} bytes of this upload are here: go on from "
        "there",
        retryable=True,
        offset=received,
    )


def _require_place(start: UploadStart, row: Record) -> None:
    if start.offset != row["received_bytes"]:
        raise Conflict(
            Reason.REASON_UPLOAD_OFFSET,
            f"{row['received_bytes']} bytes of this upload are here: go on from there",
            retryable=True,
            offset=row["received_bytes"],
        )
