"""Vectors in Milvus, the embedded one or any other by URL.

pymilvus takes 100 MB and half a second to import, so that waits for the first write, and its
calls block, so they have a thread. (Its asynchronous client asks for a timestamp service that
Milvus Lite does not have.)
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import structlog

from kari.errors.v1.errors_pb2 import Reason
from servers.production_memory.store import DIMENSIONS, Vector
from servers.runtime.errors import Unavailable
from servers.runtime.settings import Settings

COLLECTION = "messages"
CALL_SECONDS = 5.0
CREATE_SECONDS = 30.0
HTTP2_SETTINGS = 4
# Usual values for collections of this size; recall is above 0.95 with them.
INDEX = {"M": 16, "efConstruction": 200}

log = structlog.get_logger("kari.production_memory")


@asynccontextmanager
async def open_milvus(settings: Settings) -> AsyncIterator["MilvusStore"]:
    """The Milvus of the settings; connects when first written to."""
    if settings.milvus_url is None:
        raise LookupError("KARI_MILVUS_URL is not set; `kari up` sets it for embedded stores")
    token = settings.milvus_token
    store = MilvusStore(
        settings.milvus_url.get_secret_value(), token.get_secret_value() if token else ""
    )
    try:
        yield store
    finally:
        await store.close()


class MilvusStore:
    """A collection of all tenants, partitioned by tenant; texts are not in it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._thread = ThreadPoolExecutor(1, "milvus")
        self._client: Any = None

    async def write(self, vectors: Sequence[Vector]) -> None:
        """Adds or replaces vectors; see the protocol."""
        rows = [_row(vector) for vector in vectors]
        loop = asyncio.get_running_loop()
        failure = await loop.run_in_executor(self._thread, self._upsert, rows)
        if failure is not None:
            raise Unavailable(
                Reason.REASON_STORE_UNAVAILABLE, "Milvus does not take vectors", store="milvus"
            ) from failure

    async def ping(self) -> None:
        """Waits for the frame with which every gRPC server greets; TLS has to be up, else."""
        parts = urlsplit(self._url)
        secure = ssl.create_default_context() if parts.scheme == "https" else None
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or 19530, ssl=secure
        )
        try:
            if secure is None and (await reader.readexactly(9))[3] != HTTP2_SETTINGS:
                raise ConnectionError("this is no Milvus")
        finally:
            writer.close()

    async def close(self) -> None:
        """Closes the connection, once the call under way has ended; nobody waits for that."""
        self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=False)

    def _upsert(self, rows: list[dict[str, Any]]) -> Exception | None:
        """Gives the failure back. Whatever it is, the next write begins with a new connection and
        makes sure of the collection: Milvus may have come back empty."""
        try:
            if self._client is None:
                self._client = _connected(self._url, self._token)
            self._client.upsert(COLLECTION, rows, timeout=CALL_SECONDS)
        except Exception as error:  # noqa: BLE001  # pymilvus lets errors of many kinds through
            self._disconnect()
            return error
        return None

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _connected(url: str, token: str) -> Any:
    """A client whose collection exists."""
    from pymilvus import MilvusClient

    # It logs every failure with a traceback, and raises it as well.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    client = MilvusClient(uri=url, token=token, timeout=CALL_SECONDS)
    try:
        if not client.has_collection(COLLECTION, timeout=CALL_SECONDS):
            _create(client)
    except BaseException:
        client.close()
        raise
    return client


def _create(client: Any) -> None:
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
