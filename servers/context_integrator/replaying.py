"""Finding what a prompt of the past was made of."""

import asyncio
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from kari.conversation_models.v1.context_pb2 import ContextCandidate
from kari.production_memory.v1.production_memory_pb2 import (
    GetFileChunksRequest,
    GetMemoriesRequest,
    GetMemoriesResponse,
    GetSummariesRequest,
    GetSummariesResponse,
    GetTurnManifestRequest,
)
from servers.context_integrator.reading import whole_messages
from servers.context_integrator.replay import (
    NamedPiece,
    Replayed,
    Texts,
    in_prompt,
    message_ids,
    piece_runs,
    replayed,
    without,
)

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )


class Replaying:
    """Builds prompts of past turns again. Whose turn it is has been checked before."""

    def __init__(self, production_memory: "ProductionMemoryServiceAsyncStub") -> None:
        self._production_memory = production_memory

    async def replay(self, turn_id: str, withheld: Container[str] = ()) -> Replayed | None:
        """The prompt of a turn, without what is of the withheld conversations; None if it has no
        manifest. NotFound if there is no such turn."""
        found = await self._production_memory.GetTurnManifest(
            GetTurnManifestRequest(turn_id=turn_id)
        )
        if not found.HasField("manifest"):
            return None
        candidates = without(in_prompt(found.manifest), withheld)
        return replayed(found.manifest, await self._texts(candidates, found.turn.conversation_id))

    async def _texts(self, candidates: Sequence[ContextCandidate], conversation_id: str) -> Texts:
        wanted = message_ids(candidates, conversation_id)
        messages, memories, summaries, pieces = await asyncio.gather(
            asyncio.gather(
                *(whole_messages(self._production_memory, *each) for each in wanted.items())
            ),
            self._memories([c.memory_id for c in candidates if c.memory_id]),
            self._summaries([c.summary_id for c in candidates if c.summary_id]),
            asyncio.gather(
                *(self._pieces(*run) for run in piece_runs(candidates, conversation_id))
            ),
        )
        return Texts(
            {message.id: message for of_one in messages for message in of_one},
            {memory.id: memory for memory in memories.memories},
            {summary.id: summary for summary in summaries.summaries},
            {key: piece for run in pieces for key, piece in run.items()},
        )

    async def _pieces(
        self, file_id: str, conversation_id: str, first: int, count: int
    ) -> dict[tuple[str, int], NamedPiece]:
        found = await self._production_memory.GetFileChunks(
            GetFileChunksRequest(
                file_id=file_id, conversation_id=conversation_id, from_index=first, limit=count
            )
        )
        return {(file_id, each.index): NamedPiece(found.name, each) for each in found.chunks}

    async def _memories(self, ids: Sequence[str]) -> GetMemoriesResponse:
        if not ids:
            return GetMemoriesResponse()
        return await self._production_memory.GetMemories(GetMemoriesRequest(memory_ids=ids))

    async def _summaries(self, ids: Sequence[str]) -> GetSummariesResponse:
        if not ids:
            return GetSummariesResponse()
        return await self._production_memory.GetSummaries(GetSummariesRequest(summary_ids=ids))
