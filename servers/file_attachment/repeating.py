"""Uploads under an id that was used before: the same file again, or another one."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

from asyncpg import Record

from kari.errors.v1.errors_pb2 import Reason
from kari.file_attachment.v1.file_attachment_pb2 import UploadRequest, UploadStart
from servers.runtime.chunk import Chunk
from servers.runtime.errors import Conflict


def require_same_start(start: UploadStart, row: Record) -> None:
    """Conflict if what is announced is not what an upload has, or was to have: at its beginning,
    and of one that is finished. What nobody said is not compared."""
    finished = bool(row["file_id"])
    if row["replaces"] != start.replaces_file_id:
        raise reused()
    if start.offset and not finished:
        return
    size = row["received_bytes"] if finished else row["size_bytes"]
    known = finished or size
    if (known and start.size_bytes and start.size_bytes != size) or (
        row["sha256"] and start.sha256 and start.sha256 != row["sha256"]
    ):
        raise reused()


async def require_same_bytes(
    steps: AsyncIterator[UploadRequest | Chunk], start: UploadStart, row: Record
) -> None:
    """Conflict if the rest of a call brings other bytes than a finished upload did. Nothing is kept
    of them. A call that is cut, or that only brings a part, is compared by its size."""
    digest, came, size = hashlib.sha256(), start.offset, row["received_bytes"]
    async for step in steps:
        if not isinstance(step, Chunk):
            whole = step.WhichOneof("step") == "end" and not (step.end.partial or step.end.discard)
            other = row["sha256"] and not start.offset and digest.hexdigest() != row["sha256"]
            if whole and (came != size or other):
                raise reused()
            return
        came += len(step.data)
        if came > size:
            raise reused()
        await asyncio.to_thread(digest.update, step.data)


def reused() -> Conflict:
    """The id names another upload already."""
    return Conflict(
        Reason.REASON_REQUEST_ID_REUSED,
        "another file of yours came under this id; each file takes a new one",
    )
