"""What stays in memory, and what is counted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from servers.runtime import redis
from servers.runtime.errors import Unavailable
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from servers.stream_processor.guarded import GuardedJournal
from servers.stream_processor.journal import StreamKey
from servers.stream_processor.journal_memory import MemoryJournal
from servers.stream_processor.journal_redis import RedisJournal
from servers.stream_processor.readers import Readers
from servers.stream_processor.streams import Streams
from servers.stream_processor.upkeep import Upkeep
from tests.stream_processor.conditions import metric
from tests.stream_processor.conftest import Client
from tests.stream_processor.events import (
    a_turn,
    completed,
    delta,
    deltas,
    question,
    reasoning,
    text_of,
)
from tests.stream_processor.valkey import TestValkey


@dataclass
class Parts:
    """A stream processor without its server."""

    memory: MemoryJournal
    streams: Streams
    readers: Readers
    upkeep: Upkeep


@pytest_asyncio.fixture
async def parts(valkey: TestValkey) -> AsyncIterator[Parts]:
    resources, settings = Resources(), Settings(redis_url=valkey.url)
    client = resources.add("redis", lambda: redis.open_redis(settings), redis.ping, required=False)
    memory, durable = MemoryJournal(100_000), GuardedJournal(RedisJournal(client, 60))
    streams = Streams(memory, durable, expose_reasoning=False)
    readers = Readers(streams, memory)
    yield Parts(memory, streams, readers, Upkeep(streams, readers, memory, durable, ttl=60))
    await resources.close()


@pytest.fixture
def key() -> StreamKey:
    return StreamKey("acme", a_turn())


async def test_an_ended_stream_leaves_memory_and_is_read_from_redis(
    parts: Parts, key: StreamKey
) -> None:
    await parts.streams.open(key)
    await parts.streams.append(key, 1, [delta("a "), completed()], "corr")
    parts.upkeep.forget_idle()
    assert parts.memory.mark(key) is None
    assert parts.memory.size == 0
    assert text_of([event async for event in parts.readers.follow(key, None)]) == "a "


async def test_a_followed_stream_stays_in_memory(parts: Parts, key: StreamKey) -> None:
    await parts.streams.open(key)
    await parts.streams.append(key, 1, [delta("a "), completed()], "corr")
    reader = parts.readers.follow(key, None)
    await anext(reader)
    parts.upkeep.forget_idle()
    assert parts.memory.mark(key) is not None
    await reader.aclose()
    parts.upkeep.forget_idle()
    assert parts.memory.mark(key) is None


@pytest.mark.parametrize(("seconds", "stays"), [(1000.0, True), (-1000.0, False)])
async def test_a_followed_stream_stays_while_its_turn_waits_for_its_user(
    parts: Parts, key: StreamKey, monkeypatch: pytest.MonkeyPatch, seconds: float, stays: bool
) -> None:
    """However long it says nothing."""
    await parts.streams.open(key)
    await parts.streams.append(key, 1, [delta("a "), question(seconds)], "corr")
    reader = parts.readers.follow(key, None)
    await anext(reader)
    monkeypatch.setattr(parts.memory, "idle_seconds", lambda _: 500.0)
    parts.upkeep.forget_idle()
    assert (parts.memory.mark(key) is not None) == stays
    await reader.aclose()
    parts.upkeep.forget_idle()
    assert parts.memory.mark(key) is None


async def test_without_redis_an_ended_stream_stays_for_late_readers(
    parts: Parts, key: StreamKey, valkey: TestValkey
) -> None:
    valkey.kill()
    await parts.streams.open(key)
    await parts.streams.append(key, 1, [delta("a "), completed()], "corr")
    parts.upkeep.forget_idle()
    assert text_of([event async for event in parts.readers.follow(key, None)]) == "a "


async def test_full_memory_refuses_new_streams_until_there_is_room(
    parts: Parts, key: StreamKey
) -> None:
    await parts.streams.open(key)
    await parts.streams.append(key, 1, [delta("x" * 100_000)], "corr")
    with pytest.raises(Unavailable):
        await parts.streams.open(StreamKey("acme", a_turn()))
    parts.upkeep.forget_idle()
    await parts.streams.open(StreamKey("acme", a_turn()))
    assert (await parts.streams.open(key)).mark.index == 1


async def test_an_idle_stream_that_was_forgotten_goes_on(parts: Parts, key: StreamKey) -> None:
    await parts.streams.open(key)
    await parts.streams.append(key, 1, [delta("a ")], "corr")
    parts.streams.forget(key)
    await parts.streams.append(key, 2, [delta("b "), completed()], "corr")
    assert text_of([event async for event in parts.readers.follow(key, None)]) == "a b "


async def test_tokens_latency_and_coalescing_are_counted(client: Client) -> None:
    turn, tokens = a_turn(), metric("kari_chat_tokens_streamed_total")
    coalesced = metric("kari_chat_stream_coalesced_total")
    handed_over = metric("kari_chat_stream_latency_seconds_count")
    await client.open(turn)
    await client.append(turn, 1, *deltas("a b c"), reasoning("hm"))
    await client.append(turn, 1, *deltas("a b c"), reasoning("hm"))
    reader = client.follow(turn)
    await anext(reader)
    await client.append(turn, 5, completed())
    await anext(reader)
    assert [event async for event in reader] == []
    assert metric("kari_chat_tokens_streamed_total") == tokens + 3
    assert metric("kari_chat_stream_coalesced_total") == coalesced + 2
    assert metric("kari_chat_stream_latency_seconds_count") == handed_over + 1
