"""What is in Milvus, read with its own client."""

import asyncio
from typing import Any

from pymilvus import MilvusClient, MilvusException

from servers.runtime.settings import Settings


async def vectors_of(
    settings: Settings, tenant_id: str, collection: str = "messages", most: int = 100
) -> dict[str, dict[str, Any]]:
    """A tenant's rows of a collection, by id; none without a collection, or while Milvus starts."""
    try:
        return await asyncio.to_thread(_rows, settings, tenant_id, collection, most)
    except MilvusException:
        return {}


def _rows(
    settings: Settings, tenant_id: str, collection: str, most: int
) -> dict[str, dict[str, Any]]:
    assert settings.milvus_url is not None
    assert settings.milvus_token is not None
    client = MilvusClient(
        uri=settings.milvus_url.get_secret_value(),
        token=settings.milvus_token.get_secret_value(),
        timeout=10,
    )
    try:
        if not client.has_collection(collection):
            return {}
        found = client.query(
            collection, filter=f'tenant_id == "{tenant_id}"', output_fields=["*"], limit=most
        )
        return {row["id"]: row for row in found}
    finally:
        client.close()


async def forget_vectors_of(
    settings: Settings, tenant_id: str, collection: str = "messages"
) -> None:
    """Deletes a tenant's rows, as a Milvus that was lost would."""
    await asyncio.to_thread(_forget, settings, tenant_id, collection)


def _forget(settings: Settings, tenant_id: str, collection: str) -> None:
    assert settings.milvus_url is not None
    assert settings.milvus_token is not None
    client = MilvusClient(
        uri=settings.milvus_url.get_secret_value(),
        token=settings.milvus_token.get_secret_value(),
        timeout=10,
    )
    try:
        client.delete(collection, filter=f'tenant_id == "{tenant_id}"')
    finally:
        client.close()
