"""The hooks `text`, `summary` and `index`: what a file says, in short, and for search."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from kari.conversation_models.v1.file_pb2 import TextChunk
from kari.file_attachment.v1.file_attachment_pb2 import GetFileRequest
from kari.production_memory.v1.production_memory_pb2 import (
    IndexFileRequest,
    ShareFilesRequest,
)
from kari.summarizer.v1.summarizer_pb2 import Passage, SummarizeRequest
from servers.hook_enabled_file.chunking import chunks
from servers.hook_enabled_file.extracted import told
from servers.hook_enabled_file.extracting import Extracting, Unread
from servers.hook_enabled_file.hooks import ENRICH, PARTIAL, PASSED, SKIPPED, Looked, Outcome
from servers.hook_enabled_file.kinds import reads_media
from servers.hook_enabled_file.rooms import room_unavailable
from servers.runtime.limited import JobFailed, Why

if TYPE_CHECKING:
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )
    from kari.summarizer.v1.summarizer_pb2_grpc import SummarizerServiceAsyncStub

BEGINNING = 20_000
"""Characters that are summarized: what a file is about, it says at its beginning."""
MOST_PASSAGES = 200
SHORT = 300
"""Characters below which a text is its own summary."""
LONGEST_SUMMARY = 2000
TOGETHER = 100
"""Pieces that are kept in one call: about 100 KB."""
MOST_PIECES = 20_000
"""As many as production_memory keeps of a file."""
NO_TEXT = "there is no text in it"
NOT_READ = "its text could not be read"


@dataclass(frozen=True)
class Text:
    """Reads the text of a file, with the places where it stands."""

    extracting: Extracting
    seconds: float = 90.0
    name: str = "text"
    kind = ENRICH
    description = "Reads the text of documents, mails, pictures and recordings."

    async def unavailable(self) -> str:
        """Without the process for readers."""
        return await room_unavailable(self.extracting.room)

    def skips(self, looked: Looked) -> str:
        """Files without a reader."""
        return _no_reader(self.extracting, looked)

    def listens(self, looked: Looked) -> bool:
        """To pictures and recordings."""
        return reads_media(looked.file.content_type)

    async def look(self, looked: Looked) -> Outcome:
        """Says how much text there is, and what was left out."""
        found = await self.extracting.of(looked)
        facts = {**found.facts, "characters": found.characters}
        explanation = told(found.missing)
        return Outcome(PARTIAL if found.missing else PASSED, explanation, metadata=facts)


@dataclass(frozen=True)
class Summary:
    """Says in a few sentences what a file is about, in its own words."""

    extracting: Extracting
    summarizer: "SummarizerServiceAsyncStub"
    seconds: float = 60.0
    name: str = "summary"
    kind = ENRICH
    description = "Chooses a few sentences that say what the file is about."

    async def unavailable(self) -> str:
        """Without the process for readers."""
        return await room_unavailable(self.extracting.room)

    def skips(self, looked: Looked) -> str:
        """Files without a reader."""
        return _no_reader(self.extracting, looked)

    def listens(self, looked: Looked) -> bool:
        """To pictures and recordings."""
        return reads_media(looked.file.content_type)

    async def look(self, looked: Looked) -> Outcome:
        """Summarizes the beginning."""
        try:
            found = await self.extracting.of(looked)
        except Unread:
            return Outcome(SKIPPED, NOT_READ)
        texts = _beginning(found.segments)
        if not texts:
            return Outcome(SKIPPED, NO_TEXT)
        if sum(map(len, texts)) <= SHORT:
            return Outcome(PASSED, summary=" ".join(" ".join(texts).split()))
        request = SummarizeRequest(passages=[Passage(text=t) for t in texts], extractive=True)
        summary = (await self.summarizer.Summarize(request)).summary.summary
        return Outcome(PASSED, summary=summary[:LONGEST_SUMMARY])


@dataclass(frozen=True)
class Index:
    """Keeps the text in pieces that can be searched."""

    extracting: Extracting
    memory: "ProductionMemoryServiceAsyncStub"
    files: "FileAttachmentServiceAsyncStub"
    seconds: float = 120.0
    name: str = "index"
    kind = ENRICH
    description = "Makes the text searchable, with the page or line where it stands."

    async def unavailable(self) -> str:
        """Without the process for readers."""
        return await room_unavailable(self.extracting.room)

    def skips(self, looked: Looked) -> str:
        """Nothing: of files without a reader it says that they have no text."""
        return ""

    def listens(self, looked: Looked) -> bool:
        """To pictures and recordings."""
        return reads_media(looked.file.content_type)

    async def look(self, looked: Looked) -> Outcome:
        """Keeps all pieces, then shares them with the conversations in which the file is used. Of
        a file without any that is said, so that no message waits for them."""
        if no_reader := _no_reader(self.extracting, looked):
            await self._keep(looked, [])
            return Outcome(SKIPPED, no_reader)
        try:
            found = await self.extracting.of(looked)
        except JobFailed as failed:
            if failed.why is not Why.ROOM:
                await self._keep(looked, [])
            if isinstance(failed, Unread):
                return Outcome(SKIPPED, NOT_READ)
            raise
        pieces = await asyncio.to_thread(
            lambda: list(islice(chunks(found.segments), MOST_PIECES + 1))
        )
        if not pieces:
            await self._keep(looked, [])
            return Outcome(SKIPPED, NO_TEXT)
        more, pieces = len(pieces) > MOST_PIECES, pieces[:MOST_PIECES]
        rest = iter(pieces)
        while group := list(islice(rest, TOGETHER)):
            await self._keep(looked, group)
            looked.tell(f"{(group[-1].index + 1) / len(pieces):.0%}")
        await self._share(looked)
        if more:
            left = f"the text behind the first {MOST_PIECES} pieces cannot be searched"
            return Outcome(PARTIAL, left, chunks=len(pieces))
        return Outcome(PASSED, chunks=len(pieces))

    async def _keep(self, looked: Looked, pieces: Sequence[TextChunk]) -> None:
        request = IndexFileRequest(
            file_id=looked.file.id,
            name=looked.file.name,
            conversation_id=looked.conversation_id,
            chunks=pieces,
        )
        await self.memory.IndexFile(request)

    async def _share(self, looked: Looked) -> None:
        """A message may have taken the file along while it was indexed."""
        now = (await self.files.GetFile(GetFileRequest(file_id=looked.file.id))).file
        for conversation_id in now.conversation_ids:
            await self.memory.ShareFiles(
                ShareFilesRequest(file_ids=[now.id], conversation_id=conversation_id)
            )


def _no_reader(extracting: Extracting, looked: Looked) -> str:
    kind = looked.file.content_type
    return "" if extracting.reads(kind) else f"there is no reader for files of type {kind}"


def _beginning(segments: Sequence[TextChunk]) -> list[str]:
    texts, left = list[str](), BEGINNING
    for segment in segments[:MOST_PASSAGES]:
        if left <= 0:
            break
        if text := segment.text[:left].strip():
            texts.append(text)
            left -= len(text)
    return texts
