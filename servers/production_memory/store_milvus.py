"""Vectors in Milvus: one collection of all tenants, partitioned by tenant; texts are not in it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from servers.production_memory.store import Vector
from servers.runtime.milvus import CALL_SECONDS, COLLECTION, DIMENSIONS, Milvus, open_milvus
from servers.runtime.settings import Settings

CREATE_SECONDS = 30.0
# Usual values for collections of this size; recall is above 0.95 with them.
INDEX = {"M": 16, "efConstruction": 200}


@asynccontextmanager
async def open_vectors(settings: Settings) -> AsyncIterator["MilvusStore"]:
    """The vectors of the settings' Milvus."""
    async with open_milvus(settings, prepare=make_collection) as milvus:
        yield MilvusStore(milvus)


class MilvusStore:
    """The collection, for its one writer."""

    def __init__(self, milvus: Milvus) -> None:
        self._milvus = milvus

    async def write(self, vectors: Sequence[Vector]) -> None:
        """Adds or replaces vectors; see the protocol."""
        rows = [_row(vector) for vector in vectors]
        await self._milvus.call(
            lambda client: client.upsert(COLLECTION, rows, timeout=CALL_SECONDS)
        )

    async def ping(self) -> None:
        """See the protocol."""
        await self._milvus.ping()


def make_collection(client: Any) -> None:
    """Makes the collection if it is not there."""
    if client.has_collection(COLLECTION, timeout=CALL_SECONDS):
        return
    from pymilvus import DataType, MilvusException

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("tenant_id", DataType.VARCHAR, is_partition_key=True, max_length=64)
    schema.add_field("conversation_id", DataType.VARCHAR, max_length=64)
    schema.add_field("role", DataType.VARCHAR, max_length=16)
    schema.add_field("created_at_ms", DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSIONS)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="HNSW", metric_type="COSINE", params=INDEX)
    try:
        client.create_collection(
            COLLECTION, schema=schema, index_params=index, timeout=CREATE_SECONDS
        )
    except MilvusException:
        # Another process may have been first.
        if not client.has_collection(COLLECTION, timeout=CALL_SECONDS):
            raise


def _row(vector: Vector) -> dict[str, Any]:
    return {
        "id": vector.message_id,
        "tenant_id": vector.tenant_id,
        "conversation_id": vector.conversation_id,
        "role": vector.role,
        "created_at_ms": vector.created_at_ms,
        "vector": list(vector.values),
    }
