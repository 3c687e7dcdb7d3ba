"""The collections of vectors: what stands beside a vector, and how each is made. All of them are
partitioned by tenant, indexed by HNSW, compared by cosine, and hold no text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from servers.runtime.milvus import CALL_SECONDS, COLLECTION, DIMENSIONS, FILES_COLLECTION

CREATE_SECONDS = 30.0
# Usual values for collections of this size; recall is above 0.95 with them.
INDEX = {"M": 16, "efConstruction": 200}


@dataclass(frozen=True)
class Collection:
    """A collection: beside id, tenant and vector it has names (by their most characters) and
    numbers."""

    name: str
    names: Mapping[str, int]
    numbers: tuple[str, ...] = field(default=())


MESSAGES = Collection(COLLECTION, {"conversation_id": 64, "role": 16}, ("created_at_ms",))
MEMORIES = Collection("memories", {"user_id": 64, "kind": 16})
FILE_CHUNKS = Collection(FILES_COLLECTION, {"file_id": 64})
COLLECTIONS = (MESSAGES, MEMORIES, FILE_CHUNKS)


def make_collections(client: Any) -> None:
    """Makes those collections that are not there."""
    for collection in COLLECTIONS:
        _make(client, collection)


def _make(client: Any, collection: Collection) -> None:
    if client.has_collection(collection.name, timeout=CALL_SECONDS):
        return
    from pymilvus import DataType, MilvusException

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("tenant_id", DataType.VARCHAR, is_partition_key=True, max_length=64)
    for name, most in collection.names.items():
        schema.add_field(name, DataType.VARCHAR, max_length=most)
    for name in collection.numbers:
        schema.add_field(name, DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSIONS)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="HNSW", metric_type="COSINE", params=INDEX)
    try:
        client.create_collection(
            collection.name, schema=schema, index_params=index, timeout=CREATE_SECONDS
        )
    except MilvusException:
        # Another process may have been first.
        if not client.has_collection(collection.name, timeout=CALL_SECONDS):
            raise
