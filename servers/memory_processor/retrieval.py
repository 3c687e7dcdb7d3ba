"""Asking the sources: each with its fallback, its report and its metrics."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter, Histogram

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import Message
from kari.production_memory.v1.production_memory_pb2 import ListRecentMessagesRequest
from servers.runtime.redis import AWAY
from servers.runtime.session_buffer import SessionBuffer

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

RETRIEVALS = Counter(
    "kari_chat_memory_retrieval_total", "Memories asked for.", ("source", "outcome")
)
LATENCY = Histogram(
    "kari_chat_memory_retrieval_latency_seconds", "Time to ask a source.", ("source",)
)

log = structlog.get_logger("kari.memory_processor")


@dataclass(frozen=True)
class Recent:
    """Recent messages, the oldest first, and what was missing while they were fetched."""

    messages: Sequence[Message]
    degradations: Sequence[Degradation] = ()
    seconds: float = field(default=0.0)


class ShortTerm:
    """Recent turns: from the session buffer, with Postgres behind it."""

    def __init__(
        self, buffer: SessionBuffer, production_memory: "ProductionMemoryServiceAsyncStub"
    ) -> None:
        self._buffer = buffer
        self._production_memory = production_memory

    async def recent(
        self, tenant_id: str, conversation_id: str, through_sequence: int, limit: int
    ) -> Recent:
        """The last `limit` messages up to a sequence."""
        began = time.perf_counter()
        degradations: tuple[Degradation, ...] = ()
        buffered: Sequence[Message] | None = None
        try:
            buffered = await self._buffer.read(tenant_id, conversation_id, through_sequence, limit)
        except AWAY as error:
            log.warning("session buffer is away", error=type(error).__name__)
            degradations = (Degradation(feature=Feature.FEATURE_SESSION_BUFFER, cause="redis"),)
        RETRIEVALS.labels("short_term", "miss" if buffered is None else "hit").inc()
        messages = buffered or await self._stored(conversation_id, through_sequence, limit)
        seconds = time.perf_counter() - began
        LATENCY.labels("short_term").observe(seconds)
        return Recent(messages, degradations, seconds)

    async def _stored(
        self, conversation_id: str, through_sequence: int, limit: int
    ) -> Sequence[Message]:
        response = await self._production_memory.ListRecentMessages(
            ListRecentMessagesRequest(
                conversation_id=conversation_id, through_sequence=through_sequence, limit=limit
            )
        )
        return response.messages
