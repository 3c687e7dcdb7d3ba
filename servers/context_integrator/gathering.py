"""Asking for everything that may go into a prompt, at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import structlog

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_search.v1.conversation_search_pb2 import SearchRequest, SearchResponse
from kari.memory_processor.v1.memory_processor_pb2 import RetrieveRequest, RetrieveResponse
from servers.context_integrator.attachments import Attachments
from servers.context_integrator.candidates import Findings
from servers.context_integrator.question import filter_of, query_of, sources_of
from servers.context_integrator.reading import whole_messages
from servers.runtime.remembering import MOST_CHARACTERS

if TYPE_CHECKING:
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )
    from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceAsyncStub
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

RECENT_LIMIT = 200
"""More never fit: at 4096 tokens and five a message it would take twice as many."""
RESULTS = 20
"""Results of a search: more than a quarter of any usual budget holds."""
SEARCH_SECONDS = 1.0
"""Other conversations are not waited for longer than memories are."""

log = structlog.get_logger("kari.context_integrator")


@dataclass(frozen=True)
class Gathered:
    """What was found, and what was missing."""

    found: Findings
    degradations: Sequence[Degradation]

    @property
    def long_characters(self) -> int:
        """Length of all texts together that are too long to be remembered, or are not to be."""
        recent = (item.message for item in self.found.memories)
        lengths = (len(message.content) for message in (*recent, *self.found.pinned))
        pieces = (len(chunk.text) for file in self.found.attached for chunk in file.beginning)
        return sum(pieces) + sum(length for length in lengths if length > MOST_CHARACTERS)


class Gathering:
    """The questions of a context."""

    def __init__(
        self,
        memory_processor: "MemoryProcessorServiceAsyncStub",
        production_memory: "ProductionMemoryServiceAsyncStub",
        conversation_search: "ConversationSearchServiceAsyncStub",
    ) -> None:
        self._memory_processor = memory_processor
        self._production_memory = production_memory
        self._conversation_search = conversation_search
        self._attachments = Attachments(production_memory, conversation_search)

    async def gather(self, request: AssembleRequest) -> Gathered:
        """Memories by source, pinned messages, what other conversations and files have, and what
        the files of the message say."""
        query = query_of(request.current_message.content)
        memories, pinned, searched, (attached, missing) = await asyncio.gather(
            self._memories(request, query),
            self._pinned(request),
            self._search(request, query),
            self._attachments.gather(request, query),
        )
        found = Findings(
            memories.items, pinned, searched.results, searched.summaries, searched.files, attached
        )
        degradations = _each_once(*memories.degradations, *searched.degradations, *missing)
        return Gathered(found, degradations)

    async def _memories(self, request: AssembleRequest, query: str) -> RetrieveResponse:
        before = request.current_message.sequence - 1
        if before < 1 and not query:
            return RetrieveResponse()
        return await self._memory_processor.Retrieve(
            RetrieveRequest(
                conversation_id=request.conversation.id,
                through_sequence=max(0, before),
                limit=RECENT_LIMIT,
                query=query,
                sources=sources_of(request, query),
            )
        )

    async def _pinned(self, request: AssembleRequest) -> Sequence[Message]:
        ids = request.conversation.pinned_message_ids
        if not ids:
            return ()
        return await whole_messages(self._production_memory, request.conversation.id, ids)

    async def _search(self, request: AssembleRequest, query: str) -> SearchResponse:
        """What fits in other conversations and further back; nothing, and said so, if search is
        late or down."""
        if not query:
            return SearchResponse()
        wanted = SearchRequest(query=query, filter=filter_of(request), page_size=RESULTS)
        try:
            return await self._conversation_search.Search(wanted, timeout=SEARCH_SECONDS)
        except grpc.aio.AioRpcError as error:
            log.warning("other conversations are skipped", error=error.code().name)
            missing = Degradation(feature=Feature.FEATURE_PAST_THREADS, cause="conversation_search")
            return SearchResponse(degradations=[missing])


def _each_once(*degradations: Degradation) -> list[Degradation]:
    known = {(each.feature, each.cause): each for each in degradations}
    return list(known.values())
