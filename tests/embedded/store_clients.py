"""One row in each store, through the clients that the mesh uses."""

import asyncio
from collections.abc import Mapping

import asyncpg
from pymilvus import MilvusClient
from redis.asyncio import Redis

ROW = [0.1, 0.2, 0.3, 0.4]


async def write_everywhere(urls: Mapping[str, str], name: str) -> None:
    """Returns when every store has acknowledged a row called `name`."""
    await write_postgres(urls["KARI_POSTGRES_URL"], name)
    async with Redis.from_url(urls["KARI_REDIS_URL"]) as redis:
        await redis.set(name, "here")
    await asyncio.to_thread(write_milvus, urls, name)


async def names_everywhere(urls: Mapping[str, str]) -> dict[str, set[str]]:
    """The names of the rows in each store."""
    async with Redis.from_url(urls["KARI_REDIS_URL"], decode_responses=True) as redis:
        keys = set(await redis.keys())
    return {
        "postgres": await names_in_postgres(urls["KARI_POSTGRES_URL"]),
        "redis": keys,
        "milvus": await asyncio.to_thread(names_in_milvus, urls),
    }


async def write_postgres(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS rows (name text)")
        await connection.execute("INSERT INTO rows VALUES ($1)", name)
    finally:
        await connection.close()


async def names_in_postgres(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {row["name"] for row in await connection.fetch("SELECT name FROM rows")}
    finally:
        await connection.close()


def milvus(urls: Mapping[str, str]) -> MilvusClient:
    return MilvusClient(uri=urls["KARI_MILVUS_URL"], token=urls["KARI_MILVUS_TOKEN"], timeout=10)


def write_milvus(urls: Mapping[str, str], name: str) -> None:
    client = milvus(urls)
    try:
        if not client.has_collection("rows"):
            client.create_collection(
                "rows", dimension=len(ROW), id_type="string", max_length=64, auto_id=False
            )
        client.insert("rows", {"id": name, "vector": ROW})
    finally:
        client.close()


def names_in_milvus(urls: Mapping[str, str]) -> set[str]:
    """Searches, which only a loaded collection can."""
    client = milvus(urls)
    try:
        return {hit["id"] for hit in client.search("rows", [ROW], limit=100)[0]}
    finally:
        client.close()
