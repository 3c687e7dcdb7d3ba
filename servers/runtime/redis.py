"""Redis as servers use it: bounded waits, a key prefix of the tenant, one word for its absence."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from servers.runtime.redis_client import GatheringRedis
from servers.runtime.redis_connection import OURS
from servers.runtime.settings import Settings

# What redis-py raises when the server is away or full. Whoever catches it says what is missing.
AWAY = (RedisError, OSError, TimeoutError)


@asynccontextmanager
async def open_redis(settings: Settings, *, largest: int = 32) -> AsyncIterator[Redis]:
    """Opens a pool of at most `largest` connections; connects when first used. Waits are short:
    what Redis holds is never worth holding a turn up."""
    if settings.redis_url is None:
        raise LookupError("KARI_REDIS_URL is not set; `kari up` sets it for embedded stores")
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=largest,
        timeout=1,
        socket_timeout=2,
        socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=30,
    )
    pool.connection_class = OURS[pool.connection_class]
    client = GatheringRedis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.aclose()


async def ping(client: Redis) -> None:
    """Raises if Redis does not answer."""
    await client.ping()


def tenant_key(tenant_id: str, *parts: str) -> str:
    """A key under its tenant: `kari:{tenant}:part:part`."""
    return ":".join(("kari", tenant_id, *parts))
