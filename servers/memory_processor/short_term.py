"""Recent turns: from the session buffer, with Postgres behind it."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from kari.conversation_models.v1.context_pb2 import MemorySource
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import Message
from kari.production_memory.v1.production_memory_pb2 import ListRecentMessagesRequest
from servers.memory_processor.candidates import recent
from servers.memory_processor.source import Asked, Found
from servers.runtime.redis import AWAY
from servers.runtime.session_buffer import SessionBuffer, enough

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

BUFFER_SECONDS = 0.3
"""A Redis that hangs must leave time for Postgres."""

log = structlog.get_logger("kari.memory_processor")


class ShortTerm:
    """The newest messages up to a place: as many as are asked for, or as have the bytes that the
    session buffer calls enough."""

    kind = MemorySource.MEMORY_SOURCE_SHORT_TERM
    by_meaning = False
    missing = Degradation(feature=Feature.FEATURE_FULL_CONTEXT, cause="production_memory")

    def __init__(
        self, buffer: SessionBuffer, production_memory: "ProductionMemoryServiceAsyncStub"
    ) -> None:
        self._buffer = buffer
        self._production_memory = production_memory

    async def find(self, asked: Asked) -> Found:
        """See the protocol. The oldest first."""
        if asked.through_sequence < 1:
            return Found()
        degradations: tuple[Degradation, ...] = ()
        messages: Sequence[Message] | None = None
        try:
            async with asyncio.timeout(BUFFER_SECONDS):
                messages = await self._buffer.read(
                    asked.tenant_id, asked.conversation_id, asked.through_sequence, asked.limit
                )
        except AWAY as error:
            log.warning("session buffer is away", error=type(error).__name__)
            degradations = (Degradation(feature=Feature.FEATURE_SESSION_BUFFER, cause="redis"),)
        if messages is None:
            return Found(recent(await self._stored(asked)), degradations, "miss")
        return Found(recent(messages))

    async def _stored(self, asked: Asked) -> Sequence[Message]:
        response = await self._production_memory.ListRecentMessages(
            ListRecentMessagesRequest(
                conversation_id=asked.conversation_id,
                through_sequence=asked.through_sequence,
                limit=asked.limit,
            )
        )
        return enough(response.messages)
