"""A connection to Milvus that several threads share."""

import asyncio
from collections.abc import AsyncIterator
from threading import Event
from typing import Any

import pytest
import pytest_asyncio

from servers.runtime.errors import Unavailable
from servers.runtime.milvus import Milvus, open_milvus
from servers.runtime.settings import Settings

SECONDS = 30.0


@pytest_asyncio.fixture(loop_scope="session")
async def milvus(settings: Settings) -> AsyncIterator[Milvus]:
    async with open_milvus(settings, threads=3) as opened:
        yield opened


def refused(client: Any) -> None:
    """A call that Milvus refuses."""
    client.describe_collection("there_is_none")


async def test_a_call_that_fails_does_not_end_those_beside_it(milvus: Milvus) -> None:
    begun, failed = Event(), Event()

    def slow(client: Any) -> list[str]:
        begun.set()
        assert failed.wait(SECONDS)
        return client.list_collections()

    beside = asyncio.create_task(milvus.call(slow))
    assert await asyncio.to_thread(begun.wait, SECONDS)
    with pytest.raises(Unavailable):
        await milvus.call(refused)
    failed.set()
    assert isinstance(await beside, list)


async def test_a_late_failure_leaves_the_new_connection_alone(milvus: Milvus) -> None:
    begun, over = Event(), Event()

    def late(client: Any) -> None:
        begun.set()
        assert over.wait(SECONDS)
        refused(client)

    beside = asyncio.create_task(milvus.call(late))
    assert await asyncio.to_thread(begun.wait, SECONDS)
    with pytest.raises(Unavailable):
        await milvus.call(refused)
    new = await milvus.call(lambda client: client)
    over.set()
    with pytest.raises(Unavailable):
        await beside
    assert await milvus.call(lambda client: client) is new


async def test_a_connection_that_failed_is_closed_and_made_anew(milvus: Milvus) -> None:
    first = await milvus.call(lambda client: client)
    with pytest.raises(Unavailable):
        await milvus.call(refused)
    assert await milvus.call(lambda client: client) is not first
    assert first._handler is None
