"""Vectors in Milvus: collections of all tenants, partitioned by tenant; texts are not in them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from servers.production_memory.store import ChunkVector, MemoryVector, Vector
from servers.production_memory.vector_collections import (
    FILE_CHUNKS,
    MEMORIES,
    MESSAGES,
    make_collections,
)
from servers.runtime.milvus import CALL_SECONDS, Milvus, open_milvus, quoted
from servers.runtime.settings import Settings

THREADS = 4
"""So that whoever recalls does not wait for what is being written."""


@asynccontextmanager
async def open_vectors(settings: Settings) -> AsyncIterator["MilvusStore"]:
    """The vectors of the settings' Milvus."""
    async with open_milvus(settings, threads=THREADS, prepare=make_collections) as milvus:
        yield MilvusStore(milvus)


class MilvusStore:
    """The collections, for their one writer; see the protocol for every method."""

    def __init__(self, milvus: Milvus) -> None:
        self._milvus = milvus

    async def write(self, vectors: Sequence[Vector]) -> None:
        """Adds or replaces vectors of messages."""
        await self._upsert(MESSAGES.name, [_message(vector) for vector in vectors])

    async def write_memories(self, vectors: Sequence[MemoryVector]) -> None:
        """Adds or replaces vectors of memories."""
        await self._upsert(MEMORIES.name, [_memory(vector) for vector in vectors])

    async def erase_memories(self, tenant_id: str, memory_ids: Sequence[str]) -> None:
        """Erases vectors of memories."""
        await self._erase(MEMORIES.name, tenant_id, "id", memory_ids)

    async def write_chunks(self, vectors: Sequence[ChunkVector]) -> None:
        """Adds or replaces vectors of pieces of files."""
        await self._upsert(FILE_CHUNKS.name, [_chunk(vector) for vector in vectors])

    async def erase_chunks(self, tenant_id: str, chunk_ids: Sequence[str]) -> None:
        """Erases vectors of pieces of files."""
        await self._erase(FILE_CHUNKS.name, tenant_id, "id", chunk_ids)

    async def erase_files(self, tenant_id: str, file_ids: Sequence[str]) -> None:
        """Erases the vectors of files."""
        await self._erase(FILE_CHUNKS.name, tenant_id, "file_id", file_ids)

    async def nearest_memories(
        self,
        tenant_id: str,
        user_ids: Sequence[str],
        kinds: Sequence[str],
        values: Sequence[float],
        most: int,
    ) -> dict[str, float]:
        """The nearest memories with their cosines."""
        parts = [
            f"tenant_id == {quoted(tenant_id)}",
            f"user_id in {quoted(list(user_ids))}",
            *([f"kind in {quoted(list(kinds))}"] if kinds else []),
        ]
        return await self._milvus.nearest(MEMORIES.name, values, " and ".join(parts), most)

    async def ping(self) -> None:
        """Raises if Milvus does not answer."""
        await self._milvus.ping()

    async def _erase(
        self, collection: str, tenant_id: str, name: str, values: Sequence[str]
    ) -> None:
        only = f"tenant_id == {quoted(tenant_id)} and {name} in {quoted(list(values))}"
        await self._milvus.call(
            lambda client: client.delete(collection, filter=only, timeout=CALL_SECONDS)
        )

    async def _upsert(self, collection: str, rows: list[dict[str, Any]]) -> None:
        await self._milvus.call(
            lambda client: client.upsert(collection, rows, timeout=CALL_SECONDS)
        )


def _message(vector: Vector) -> dict[str, Any]:
    return {
        "id": vector.message_id,
        "tenant_id": vector.tenant_id,
        "conversation_id": vector.conversation_id,
        "role": vector.role,
        "created_at_ms": vector.created_at_ms,
        "vector": list(vector.values),
    }


def _memory(vector: MemoryVector) -> dict[str, Any]:
    return {
        "id": vector.memory_id,
        "tenant_id": vector.tenant_id,
        "user_id": vector.user_id,
        "kind": vector.kind,
        "vector": list(vector.values),
    }


def _chunk(vector: ChunkVector) -> dict[str, Any]:
    return {
        "id": vector.chunk_id,
        "tenant_id": vector.tenant_id,
        "file_id": vector.file_id,
        "vector": list(vector.values),
    }
