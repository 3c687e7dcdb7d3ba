"""The hook `strip_metadata`: takes out what tells of the maker, where that was asked for."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kari.file_attachment.v1.file_attachment_pb2 import UploadEnd, UploadRequest, UploadStart
from servers.hook_enabled_file.hooks import GUARD, PARTIAL, PASSED, Looked, Outcome
from servers.hook_enabled_file.kinds import STRIPPED
from servers.hook_enabled_file.rooms import READING, limits, room_unavailable
from servers.runtime.ids import new_id
from servers.runtime.limited import Room
from servers.runtime.sending import send

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub


@dataclass(frozen=True)
class StripMetadata:
    """Who asked for it is not served with a file that still has them: a guard. Files of types from
    which nothing can be taken out are let through, and say so."""

    room: Room
    files: "FileAttachmentServiceAsyncStub"
    seconds: float = 60.0
    name: str = "strip_metadata"
    kind = GUARD
    description = "Takes out places, devices and authors, where that was asked for."

    async def unavailable(self) -> str:
        """Without its process for readers."""
        return await room_unavailable(self.room)

    def skips(self, looked: Looked) -> str:
        """Unless it was asked for, and can be done."""
        if not looked.strip_metadata:
            return "it was not asked for"
        if looked.file.content_type not in STRIPPED:
            return f"nothing can be taken out of files of type {looked.file.content_type}"
        return ""

    def listens(self, looked: Looked) -> bool:
        """No recordings are listened to."""
        return False

    async def look(self, looked: Looked) -> Outcome:
        """Puts a file without metadata in the place of the one that came."""
        bounds = limits(self.seconds, looked.source.size, memory_megabytes=1500)
        pieces = self.room.run(
            f"{READING}.stripping:strip",
            looked.source,
            looked.file.content_type.encode(),
            replace(bounds, output_bytes=bounds.output_bytes + 2 * looked.source.size),
        )
        async with aclosing(pieces):
            told = json.loads(await anext(pieces))
            request_id = new_id("strip")
            await send(self.files.Upload, _steps(request_id, looked, pieces))
        explanation = "; ".join(filter(None, (told["done"], told["left"])))
        verdict = PARTIAL if told["left"] else PASSED
        return Outcome(verdict, explanation, replaced_by=request_id)


async def _steps(
    request_id: str, looked: Looked, pieces: AsyncIterator[bytes]
) -> AsyncIterator[UploadRequest]:
    start = UploadStart(
        request_id=request_id, name=looked.file.name, replaces_file_id=looked.file.id
    )
    yield UploadRequest(start=start)
    async for piece in pieces:
        yield UploadRequest(data=piece)
    yield UploadRequest(end=UploadEnd())
