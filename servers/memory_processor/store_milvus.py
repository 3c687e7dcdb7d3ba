"""The nearest vectors, from Milvus."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from servers.runtime.milvus import COLLECTION, Milvus, open_milvus, quoted
from servers.runtime.settings import Settings

THREADS = 4


@asynccontextmanager
async def open_nearest(settings: Settings) -> AsyncIterator["MilvusNearest"]:
    """The vectors of the settings' Milvus."""
    async with open_milvus(settings, threads=THREADS) as milvus:
        yield MilvusNearest(milvus)


class MilvusNearest:
    """Reads the collection that production memory writes."""

    def __init__(self, milvus: Milvus) -> None:
        self._milvus = milvus

    async def nearest(
        self, tenant_id: str, conversation_id: str, vector: Sequence[float], most: int
    ) -> Mapping[str, float]:
        """See the protocol. While nothing was written yet there is nothing near."""
        only = f"tenant_id == {quoted(tenant_id)} and conversation_id == {quoted(conversation_id)}"
        return await self._milvus.nearest(COLLECTION, vector, only, most)

    async def ping(self) -> None:
        """See the protocol."""
        await self._milvus.ping()
