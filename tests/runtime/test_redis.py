"""Redis as servers use it: what is cancelled ends, whatever moment the cancellation comes at."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from embedded.stores import EmbeddedStores
from servers.runtime.redis import open_redis
from servers.runtime.settings import Settings

MOMENTS = 400


@pytest_asyncio.fixture(loop_scope="session")
async def client(stores: EmbeddedStores, settings: Settings) -> AsyncIterator[Redis]:
    async with open_redis(settings) as opened:
        await opened.ping()
        yield opened


async def go_on(client: Redis) -> None:
    """As a loop of a server does."""
    while True:
        await client.set("kari:test:cancelled", "value")


async def test_no_cancellation_is_lost(client: Redis) -> None:
    """A task that is cancelled in any of so many steps of the loop ends."""
    for steps in range(MOMENTS):
        task = asyncio.create_task(go_on(client))
        for _ in range(steps % 40):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled(), f"after {steps % 40} steps"


async def test_a_cancelled_command_spoils_no_other(client: Redis) -> None:
    """Its connection, which still has an answer to come, is not used again."""
    for steps in range(40):
        task = asyncio.create_task(client.get("kari:test:other"))
        for _ in range(steps % 20):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await client.echo(f"{steps}") == f"{steps}".encode()


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_nobody_there_is_an_error_of_redis(settings: Settings, scheme: str) -> None:
    """With and without TLS."""
    nowhere = Settings(data=settings.data, redis_url=f"{scheme}://127.0.0.1:1")
    async with open_redis(nowhere) as opened:
        with pytest.raises(RedisError):
            await opened.ping()
