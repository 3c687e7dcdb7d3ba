"""Getting at a file's text: documents in jobs, pictures and recordings through multimedia."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import structlog
from google.protobuf.json_format import MessageToDict

from kari.conversation_models.v1.file_pb2 import TextChunk
from kari.errors.v1.errors_pb2 import Reason
from kari.multimedia.v1.multimedia_pb2 import DescribeRequest, Description
from servers.hook_enabled_file.extracted import Extracted
from servers.hook_enabled_file.hooks import Away, Busy, Elsewhere, Looked
from servers.hook_enabled_file.kinds import reads_document, reads_media
from servers.hook_enabled_file.rooms import READING, limits
from servers.runtime.errors import from_rpc
from servers.runtime.limited import JobFailed, Room, Why

if TYPE_CHECKING:
    from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceAsyncStub

MOST_CAPTIONS = 3
"""How often a caption is asked for again, as often as what is away."""
_CUT = {
    Why.TIME: "the rest was not read: it took longer than it may",
    Why.MEMORY: "the rest was not read: it took more memory than it may",
    Why.OUTPUT: "the rest was not read: there is more than is read",
    Why.CRASHED: "the rest was not read: it made the reader crash",
    Why.BROKEN: "the rest was not read: it is broken",
}

MOST_PAGES = 20_000
"""Pages that are named to multimedia, which reads far fewer."""

log = structlog.get_logger("kari.hook_enabled_file")


class Unread(JobFailed):
    """The text could not be read, as a hook has told that came before."""


@dataclass(frozen=True)
class Extracting:
    """Reads a file once for all hooks that want its text, also one that cannot be read: trying may
    take minutes."""

    room: Room
    multimedia: "MultimediaServiceAsyncStub"
    seconds: float = 60.0
    bounds: Mapping[str, int] = field(default_factory=dict)

    def reads(self, content_type: str) -> bool:
        """Whether there is a reader for such files."""
        return reads_document(content_type) or reads_media(content_type)

    def listens(self, looked: Looked) -> bool:
        """Whether a file is, or is known to hold, pictures or recordings: it may take minutes."""
        pictures = bool(looked.pictures) and looked.seen is None
        return reads_media(looked.file.content_type) or pictures

    async def of(self, looked: Looked) -> Extracted:
        """The text of a file. JobFailed if none could be read, Unread from then on; where only the
        rest could not, that is told as left out. Elsewhere if there are pages to be read as
        pictures, which are when it is asked again; Busy while a caption may come in a while: the
        text is kept."""
        if looked.unread is not None:
            raise Unread(looked.unread.why, looked.unread.sentence, looked.unread.cause)
        if looked.extracted is None:
            looked.extracted = await self._first(looked)
        elif looked.extracted.caption_later:
            await self._caption(looked, looked.extracted)
        if looked.extracted.caption_later:
            raise Busy(f"{looked.extracted.no_caption_because}; it is asked for again")
        return looked.extracted

    async def _first(self, looked: Looked) -> Extracted:
        try:
            if reads_media(looked.file.content_type):
                return await self._media(looked)
            return await self._document(looked)
        except JobFailed as failed:
            if failed.why is not Why.ROOM:
                looked.unread = failed
            raise

    async def _document(self, looked: Looked) -> Extracted:
        """A document's text. Reading it again is cheap beside its pictures: nothing of it is kept
        while it waits for them."""
        if looked.pictures and looked.seen is None:
            looked.seen = await self._seen(looked)
        found = await self._read(looked)
        if not found.pictures:
            return found
        if looked.seen is None:
            looked.pictures = found.pictures
            raise Elsewhere
        return found.with_pages(looked.seen)

    async def _seen(self, looked: Looked) -> Extracted:
        """What is on the pages that are pictures. They are no reason to leave out the others."""
        try:
            return await self._on_pages(looked)
        except JobFailed as failed:
            why = failed.sentence
        except Busy:
            raise
        except Away as away:
            if not looked.last:
                raise
            why = str(away)
        return Extracted(left_out=[f"pages that are pictures were not read: {why}"])

    async def _read(self, looked: Looked) -> Extracted:
        found = Extracted()
        asked = {"content_type": looked.file.content_type, "bounds": dict(self.bounds)}
        bounds = limits(self.seconds, looked.source.size)
        function = f"{READING}.documents:read"
        try:
            async for piece in self.room.run(
                function, looked.source, json.dumps(asked).encode(), bounds
            ):
                found.add(piece)
        except JobFailed as failed:
            if not found.segments or failed.why not in _CUT:
                raise
            found.left_out.append(_CUT[failed.why])
        return found

    async def _media(self, looked: Looked) -> Extracted:
        # Without a model for captions, or the role, nothing is missing.
        request = DescribeRequest(file_id=looked.file.id, ocr=True, speech=True, caption=True)
        described = await self._described(looked, request)
        return _extracted(described)

    async def _on_pages(self, looked: Looked) -> Extracted:
        pages = looked.pictures[:MOST_PAGES]
        request = DescribeRequest(file_id=looked.file.id, ocr=True, pages=pages)
        return _extracted(await self._described(looked, request))

    async def _caption(self, looked: Looked, found: Extracted) -> None:
        """Asks for the caption alone. Who does not get it is content after a few times: the text
        that was read is not given up for it."""
        found.caption_asked += 1
        try:
            request = DescribeRequest(file_id=looked.file.id, caption=True)
            described = await self._described(looked, request)
        except (Away, JobFailed) as error:
            log.warning("no caption", file=looked.file.id, error=str(error))
        else:
            found.segments = sorted([*found.segments, *described.chunks], key=_page)
            found.facts |= MessageToDict(described.metadata)
            found.no_caption_because = described.no_caption_because
            found.caption_later = described.caption_later
        if found.caption_asked >= MOST_CAPTIONS:
            found.caption_later = False

    async def _described(self, looked: Looked, request: DescribeRequest) -> Description:
        described: Description | None = None
        call = self.multimedia.Describe(request)
        try:
            async for step in call:
                if step.WhichOneof("event") == "progress":
                    looked.tell(f"{step.progress:.0%}")
                else:
                    described = step.description
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                raise JobFailed(Why.UNREADABLE, from_rpc(error).message) from error
            if from_rpc(error).reason == Reason.REASON_MEDIA_BUSY:
                raise Busy("other pictures and recordings are read first") from error
            raise Away("pictures and recordings cannot be read at the moment") from error
        finally:
            call.cancel()
        if described is None:
            raise Away("pictures and recordings cannot be read at the moment")
        return described


def _page(segment: TextChunk) -> int:
    return segment.anchor.page


def _extracted(described: Description) -> Extracted:
    return Extracted(
        list(described.chunks),
        MessageToDict(described.metadata),
        list(described.warnings),
        described.no_caption_because,
        described.caption_later,
    )
