"""Asking the sources: each with its fallback, its report and its metrics."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import grpc
import structlog
from prometheus_client import Counter, Histogram

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import Message
from kari.production_memory.v1.production_memory_pb2 import ListRecentMessagesRequest
from servers.runtime.labelled import labelled
from servers.runtime.redis import AWAY
from servers.runtime.session_buffer import SessionBuffer, enough

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


SOURCE_SECONDS = 2.0
"""A source that takes longer is skipped: an answer with less memory beats a late one."""


@dataclass(frozen=True)
class Recent:
    """Recent messages, the oldest first, and what was missing while they were fetched."""

    messages: Sequence[Message]
    degradations: Sequence[Degradation] = ()
    seconds: float = 0.0
    skipped: bool = False


class ShortTerm:
    """Recent turns: from the session buffer, with Postgres behind it."""

    def __init__(
        self,
        buffer: SessionBuffer,
        production_memory: "ProductionMemoryServiceAsyncStub",
        seconds: float = SOURCE_SECONDS,
    ) -> None:
        self._buffer = buffer
        self._production_memory = production_memory
        self._seconds = seconds

    async def recent(
        self, tenant_id: str, conversation_id: str, through_sequence: int, limit: int
    ) -> Recent:
        """The newest messages up to a sequence: `limit` of them, or as many as have the bytes that
        the session buffer calls enough. None, and said so, if nobody has them in time."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._find(tenant_id, conversation_id, through_sequence, limit)
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            log.warning("recent messages are skipped", error=type(error).__name__)
            missing = Degradation(feature=Feature.FEATURE_FULL_CONTEXT, cause="production_memory")
            found = Recent((), (missing,), skipped=True)
            labelled(RETRIEVALS, "short_term", "skipped").inc()
        seconds = time.perf_counter() - began
        labelled(LATENCY, "short_term").observe(seconds)
        return replace(found, seconds=seconds)

    async def _find(
        self, tenant_id: str, conversation_id: str, through_sequence: int, limit: int
    ) -> Recent:
        degradations: tuple[Degradation, ...] = ()
        buffered: Sequence[Message] | None = None
        try:
            buffered = await self._buffer.read(tenant_id, conversation_id, through_sequence, limit)
        except AWAY as error:
            log.warning("session buffer is away", error=type(error).__name__)
            degradations = (Degradation(feature=Feature.FEATURE_SESSION_BUFFER, cause="redis"),)
        labelled(RETRIEVALS, "short_term", "miss" if buffered is None else "hit").inc()
        if buffered is None:
            buffered = await self._stored(conversation_id, through_sequence, limit)
        return Recent(buffered, degradations)

    async def _stored(
        self, conversation_id: str, through_sequence: int, limit: int
    ) -> Sequence[Message]:
        response = await self._production_memory.ListRecentMessages(
            ListRecentMessagesRequest(
                conversation_id=conversation_id, through_sequence=through_sequence, limit=limit
            )
        )
        return enough(response.messages)
