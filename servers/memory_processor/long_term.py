"""Earlier turns of a conversation that are near to what is asked, and its summaries."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import grpc
import structlog

from kari.conversation_models.v1.context_pb2 import MemorySource
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.summary_pb2 import ConversationSummary
from kari.production_memory.v1.production_memory_pb2 import (
    EmbedRequest,
    GetMessagesRequest,
    GetSummariesRequest,
    ListSummariesRequest,
)
from servers.memory_processor.candidates import earlier
from servers.memory_processor.source import Asked, Found
from servers.memory_processor.store import NearestVectors
from servers.runtime.errors import KariError
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

log = structlog.get_logger("kari.memory_processor")

SHORT = 20
"""A conversation of so few messages has no earlier turns: all of it is recent."""
MOST = 20
"""The nearest of a conversation: more than a quarter of any usual budget holds."""
NEAR_SECONDS = 0.7
"""Vectors are not waited for longer: what is found without them has to be in time as well."""
LATEST_SUMMARIES = 3
"""Summaries that are found without being near: the latest say how it came to this."""


class LongTerm:
    """The vectors say what is near, production memory has the texts."""

    kind = MemorySource.MEMORY_SOURCE_LONG_TERM
    by_meaning = True
    missing = Degradation(feature=Feature.FEATURE_LONG_TERM_MEMORY, cause="milvus")

    def __init__(
        self,
        vectors: Resource[NearestVectors],
        production_memory: "ProductionMemoryServiceAsyncStub",
    ) -> None:
        self._vectors = vectors
        self._production_memory = production_memory

    async def find(self, asked: Asked) -> Found:
        """See the protocol. A short conversation is not looked at."""
        if asked.through_sequence <= SHORT:
            return Found()
        (near, missing), latest = await asyncio.gather(self._near(asked), self._latest(asked))
        known = {summary.id for summary in latest}
        messages, summaries = await asyncio.gather(
            self._messages(asked, [id_ for id_ in near if id_.startswith("msg_")]),
            self._summaries([id_ for id_ in near if id_.startswith("sum_") and id_ not in known]),
        )
        outcome = "degraded" if missing else "hit"
        return Found(earlier(messages, [*latest, *summaries], near), missing, outcome)

    async def _near(self, asked: Asked) -> tuple[Mapping[str, float], Sequence[Degradation]]:
        """The nearest, or what is missing: the latest summaries are there without vectors."""
        try:
            async with asyncio.timeout(NEAR_SECONDS):
                return await self._nearest(asked), ()
        except (KariError, grpc.aio.AioRpcError, TimeoutError) as error:
            log.warning("nothing near is looked for", error=type(error).__name__)
            return {}, (self.missing,)

    async def _nearest(self, asked: Asked) -> Mapping[str, float]:
        embedded = await self._production_memory.Embed(EmbedRequest(texts=[asked.query]))
        vectors = await self._vectors.get()
        return await vectors.nearest(
            asked.tenant_id, asked.conversation_id, embedded.embeddings[0].values, MOST
        )

    async def _messages(self, asked: Asked, ids: Sequence[str]) -> list[Message]:
        if not ids:
            return []
        response = await self._production_memory.GetMessages(
            GetMessagesRequest(conversation_id=asked.conversation_id, message_ids=ids)
        )
        return [m for m in response.messages if m.sequence <= asked.through_sequence]

    async def _latest(self, asked: Asked) -> Sequence[ConversationSummary]:
        response = await self._production_memory.ListSummaries(
            ListSummariesRequest(conversation_id=asked.conversation_id, page_size=LATEST_SUMMARIES)
        )
        return response.summaries

    async def _summaries(self, ids: Sequence[str]) -> Sequence[ConversationSummary]:
        if not ids:
            return ()
        response = await self._production_memory.GetSummaries(GetSummariesRequest(summary_ids=ids))
        return response.summaries
