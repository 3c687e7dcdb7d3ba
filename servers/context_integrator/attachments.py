"""Asking for the files that came with a message: their beginning, and what of them fits."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc
import structlog

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.search_pb2 import SearchFilter
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest, SearchResponse
from kari.production_memory.v1.production_memory_pb2 import (
    GetFileChunksRequest,
    GetFileChunksResponse,
)
from servers.context_integrator.pieces import AttachedFile

if TYPE_CHECKING:
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

BEGINNING = 8
"""Pieces of a file's beginning: some 1,600 tokens, more than files may take of a usual budget."""
FITTING = 20
READ_SECONDS = 3.0
"""For all reading: the files of a message are what it is about, so that they are waited for while
there is time, and time is left to search them."""
SEARCH_SECONDS = 1.0
LATE_SECONDS = 1.0
"""A file may be sent as soon as nothing refuses it, and its text comes a moment later: so long is
that waited for, once a turn, while nobody knows of a file of the message whether it has any."""
LOOK_SECONDS = 0.1
LEAST_SECONDS = 1.0
"""What a further look has of the time for reading: one that is cut would lose all files."""

log = structlog.get_logger("kari.context_integrator")


class Attachments:
    """What the files of a message say. Never fails: what cannot be looked at is said."""

    def __init__(
        self,
        production_memory: "ProductionMemoryServiceAsyncStub",
        conversation_search: "ConversationSearchServiceAsyncStub",
    ) -> None:
        self._production_memory = production_memory
        self._conversation_search = conversation_search

    async def gather(
        self, request: AssembleRequest, query: str
    ) -> tuple[list[AttachedFile], list[Degradation]]:
        """The files in the order in which they were attached. Those without text have none."""
        ids = list(dict.fromkeys(request.current_message.file_ids))
        if not ids:
            return [], []
        try:
            beginnings = await self._beginnings(request.conversation.id, ids)
        except grpc.aio.AioRpcError as error:
            return [], [_missing("production_memory", error)]
        known = [file for file in ids if beginnings[file].total]
        searched = await self._search(query, known)
        files = [
            AttachedFile(
                file,
                beginnings[file].name,
                beginnings[file].chunks,
                [result for result in searched.files if result.file_id == file],
            )
            for file in known
        ]
        return files, list(searched.degradations)

    async def _beginnings(
        self, conversation_id: str, ids: Sequence[str]
    ) -> dict[str, GetFileChunksResponse]:
        clock = asyncio.get_running_loop().time
        end = clock() + READ_SECONDS
        found = dict(zip(ids, await self._read(conversation_id, ids, READ_SECONDS), strict=True))
        until = min(clock() + LATE_SECONDS, end - LOOK_SECONDS - LEAST_SECONDS)
        while (late := [file for file in ids if _is_late(found[file])]) and clock() < until:
            await asyncio.sleep(LOOK_SECONDS)
            found |= zip(late, await self._read(conversation_id, late, end - clock()), strict=True)
        return found

    async def _read(
        self, conversation_id: str, ids: Sequence[str], seconds: float
    ) -> list[GetFileChunksResponse]:
        calls = (
            self._production_memory.GetFileChunks(
                GetFileChunksRequest(
                    file_id=file, limit=BEGINNING, conversation_id=conversation_id
                ),
                timeout=seconds,
            )
            for file in ids
        )
        return list(await asyncio.gather(*calls))

    async def _search(self, query: str, ids: Sequence[str]) -> SearchResponse:
        """Their beginning is there all the same if search is late or down."""
        if not query or not ids:
            return SearchResponse()
        wanted = SearchRequest(query=query, filter=SearchFilter(file_ids=ids), page_size=FITTING)
        try:
            return await self._conversation_search.Search(wanted, timeout=SEARCH_SECONDS)
        except grpc.aio.AioRpcError as error:
            return SearchResponse(degradations=[_missing("conversation_search", error)])


def _is_late(file: GetFileChunksResponse) -> bool:
    return not file.total and not file.indexed


def _missing(cause: str, error: grpc.aio.AioRpcError) -> Degradation:
    log.warning("files of the message are skipped", peer=cause, error=error.code().name)
    return Degradation(feature=Feature.FEATURE_FILES, cause=cause)
