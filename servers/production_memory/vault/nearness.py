"""Which memories are near to a text: its vector from the model factory, its neighbours from the
store of vectors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from servers.production_memory import embedding
from servers.production_memory.store import VectorStore
from servers.production_memory.vault.tables import QUERIES
from servers.runtime.postgres import Database
from servers.runtime.resources import Resource

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub

READ_CHARACTERS = 4000
"""The embedder reads 256 tokens; more of a text would only be carried around."""


class Nearness:
    """Asks the embedder and the store, and neither for whom there is nothing to find."""

    def __init__(
        self,
        database: Resource[Database],
        models: "ModelFactoryServiceAsyncStub",
        vectors: Resource[VectorStore],
    ) -> None:
        self._database = database
        self._models = models
        self._vectors = vectors

    async def has_any(
        self, tenant_id: str, owners: Sequence[str], kinds: Sequence[str] = ()
    ) -> bool:
        """Whether these owners have memories of these kinds (empty: any) that hold."""
        database = await self._database.get()
        return bool(
            await database.value(tenant_id, QUERIES.owner_has_memories, list(owners), list(kinds))
        )

    async def nearest(
        self, tenant_id: str, owners: Sequence[str], kinds: Sequence[str], text: str, most: int
    ) -> dict[str, float]:
        """The nearest memories with their cosines; Unavailable if the embedder or the store is
        away."""
        (values,) = await self.vectors_of([text[:READ_CHARACTERS]])
        store = await self._vectors.get()
        return await store.nearest_memories(tenant_id, owners, kinds, values, most)

    async def vectors_of(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """The vectors of texts, in order."""
        return await embedding.vectors_of(self._models, texts)
