"""What is near to a query by meaning: its vector from production memory, its neighbours from the
store of vectors. Whatever keeps them from being found is said, not raised."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc
import structlog

from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.production_memory.v1.production_memory_pb2 import EmbedRequest
from servers.conversation_search.store import Limits, Near, NearestVectors, Scope
from servers.runtime.call import current
from servers.runtime.errors import KariError
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )

MOST_BY_VECTORS = 100
"""Where recall stopped growing on long conversations."""
MOST_PIECES = 50
VECTOR_SECONDS = 1.5
"""Meaning is not waited for longer than this: words alone find most."""
VECTOR_SHARE = 0.6
"""Of the time that a caller with a short deadline gives: what words find must still reach it."""

log = structlog.get_logger("kari.conversation_search")


class Meaning:
    """Finds what is near, within a bounded time."""

    def __init__(
        self,
        vectors: Resource[NearestVectors],
        production_memory: "ProductionMemoryServiceAsyncStub",
        seconds: float = VECTOR_SECONDS,
    ) -> None:
        self._vectors = vectors
        self._production_memory = production_memory
        self._seconds = seconds

    async def near(
        self,
        tenant_id: str,
        text: str,
        scope: Scope,
        limits: Limits,
        file_text: str,
        file_ids: Sequence[str],
    ) -> tuple[Near, Sequence[Degradation]]:
        """Messages and summaries near to a text, where some are not known, and pieces of files near
        to another, where there are files."""
        try:
            async with asyncio.timeout(self._patience()):
                near = await self._nearest(tenant_id, text, scope, limits, file_text, file_ids)
        except (KariError, grpc.aio.AioRpcError, TimeoutError, LookupError) as error:
            log.warning("searching by words alone", error=type(error).__name__)
            return Near({}), (_missing(error),)
        return near, ()

    def _patience(self) -> float:
        remaining = current().remaining()
        if remaining is None:
            return self._seconds
        return min(self._seconds, remaining * VECTOR_SHARE)

    async def _nearest(
        self,
        tenant_id: str,
        text: str,
        scope: Scope,
        limits: Limits,
        file_text: str,
        file_ids: Sequence[str],
    ) -> Near:
        texts = [*([text] if scope.unknown else ()), *([file_text] if file_ids else ())]
        embedded = await self._production_memory.Embed(
            EmbedRequest(texts=list(dict.fromkeys(texts)))
        )
        first, last = embedded.embeddings[0].values, embedded.embeddings[-1].values
        vectors = await self._vectors.get()

        async def pieces() -> dict[str, float]:
            if not file_ids:
                return {}
            return await vectors.nearest_pieces(tenant_id, last, file_ids, MOST_PIECES)

        if not scope.unknown:
            return Near({}, pieces=await pieces())
        near, found = await asyncio.gather(
            vectors.nearest(tenant_id, first, scope, limits, MOST_BY_VECTORS), pieces()
        )
        return Near(near.cosines, near.summaries, found)


def _missing(error: BaseException) -> Degradation:
    """Semantic recall is missing; Milvus, unless the embedder was what failed."""
    embedder = isinstance(error, grpc.aio.AioRpcError)
    return Degradation(
        feature=Feature.FEATURE_SEMANTIC_RECALL, cause="model_factory" if embedder else "milvus"
    )
