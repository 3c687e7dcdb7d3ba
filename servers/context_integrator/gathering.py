"""Asking for everything that may go into a prompt, at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.degradation_pb2 import Degradation
from kari.conversation_models.v1.message_pb2 import Message
from kari.memory_processor.v1.memory_processor_pb2 import RetrieveRequest, RetrieveResponse
from kari.production_memory.v1.production_memory_pb2 import GetMessagesRequest
from servers.runtime.remembering import MOST_CHARACTERS

if TYPE_CHECKING:
    from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceAsyncStub
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

# More never fit: at 4096 tokens and five a message it would take twice as many.
RECENT_LIMIT = 200


@dataclass(frozen=True)
class Gathered:
    """What was found, and what was missing."""

    recent: Sequence[Message]
    pinned: Sequence[Message]
    degradations: Sequence[Degradation]

    @property
    def long_characters(self) -> int:
        """Length of all texts together that are too long to be remembered."""
        lengths = (len(message.content) for message in (*self.recent, *self.pinned))
        return sum(length for length in lengths if length > MOST_CHARACTERS)


class Gathering:
    """The two questions of a context."""

    def __init__(
        self,
        memory_processor: "MemoryProcessorServiceAsyncStub",
        production_memory: "ProductionMemoryServiceAsyncStub",
    ) -> None:
        self._memory_processor = memory_processor
        self._production_memory = production_memory

    async def gather(self, request: AssembleRequest) -> Gathered:
        """Recent and pinned messages of the conversation."""
        memories, pinned = await asyncio.gather(self._memories(request), self._pinned(request))
        recent = [item.message for item in memories.items if item.HasField("message")]
        return Gathered(recent, pinned, memories.degradations)

    async def _memories(self, request: AssembleRequest) -> RetrieveResponse:
        before = request.current_message.sequence - 1
        if before < 1:
            return RetrieveResponse()
        return await self._memory_processor.Retrieve(
            RetrieveRequest(
                conversation_id=request.conversation.id,
                through_sequence=before,
                limit=RECENT_LIMIT,
            )
        )

    async def _pinned(self, request: AssembleRequest) -> Sequence[Message]:
        ids = request.conversation.pinned_message_ids
        if not ids:
            return ()
        response = await self._production_memory.GetMessages(
            GetMessagesRequest(conversation_id=request.conversation.id, message_ids=ids)
        )
        return response.messages
