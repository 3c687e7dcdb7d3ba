"""Recent turns: from the session buffer, with Postgres behind it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import pytest
import pytest_asyncio
from pydantic import SecretStr

from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.message_pb2 import Message
from servers.memory_processor.candidates import recent
from servers.memory_processor.retrieval import DEADLINE_SECONDS, Retrieval, Retrieved
from servers.memory_processor.short_term import ShortTerm
from servers.memory_processor.source import Asked
from servers.runtime.ids import new_id
from servers.runtime.redis import open_redis, ping, tenant_key
from servers.runtime.resources import Resources
from servers.runtime.session_buffer import (
    ENOUGH_BYTES,
    KEPT_BYTES,
    KEPT_SECONDS,
    LARGEST_BYTES,
    SessionBuffer,
    enough,
    size_of,
)
from servers.runtime.settings import Settings
from tests.memory_processor.scripted_memory import MESSAGES, ScriptedMemory, served


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@dataclass
class Recent:
    """The source under test, as the server asks it."""

    retrieval: Retrieval

    async def recent(
        self, tenant_id: str, conversation_id: str, through_sequence: int, limit: int
    ) -> Retrieved:
        """What it gives."""
        asked = Asked(tenant_id, conversation_id, through_sequence, limit)
        (retrieved,) = await self.retrieval.retrieve(asked)
        return retrieved


def messages_of(retrieved: Retrieved) -> list[Message]:
    """The messages that it gave."""
    return [item.message for item in retrieved.found.items]


async def short_term_memory(
    stack: AsyncExitStack, settings: Settings, seconds: float = DEADLINE_SECONDS
) -> tuple[Recent, SessionBuffer, ScriptedMemory]:
    """The source under test, its buffer, and what is behind it."""
    resources, behind = Resources(), ScriptedMemory()
    stack.push_async_callback(resources.close)
    redis = resources.add("redis", partial(open_redis, settings), ping, required=False)
    buffer = SessionBuffer(redis)
    stub = await stack.enter_async_context(served(behind))
    return Recent(Retrieval([ShortTerm(buffer, stub)], seconds)), buffer, behind


async def test_buffered_messages_need_no_storage(stack: AsyncExitStack, settings: Settings) -> None:
    """A full buffer answers alone."""
    source, buffer, behind = await short_term_memory(stack, settings)
    conversation = new_id("conv")
    await buffer.write("tenant", conversation, MESSAGES)
    found = await source.recent("tenant", conversation, 3, 2)
    assert [m.content for m in messages_of(found)] == ["text 2", "text 3"]
    assert behind.asked == 0


async def test_a_gap_in_the_buffer_is_a_miss(stack: AsyncExitStack, settings: Settings) -> None:
    """A lost write must not lose a message of the context."""
    source, buffer, behind = await short_term_memory(stack, settings)
    conversation = new_id("conv")
    await buffer.write("tenant", conversation, [MESSAGES[0], MESSAGES[2]])
    found = await source.recent("tenant", conversation, 3, 10)
    assert [m.sequence for m in messages_of(found)] == [1, 2, 3]
    assert behind.asked == 1


async def test_writing_a_message_again_changes_nothing(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """A retried commit buffers twice."""
    source, buffer, behind = await short_term_memory(stack, settings)
    conversation = new_id("conv")
    await buffer.write("tenant", conversation, MESSAGES)
    await buffer.write("tenant", conversation, MESSAGES[1:])
    found = await source.recent("tenant", conversation, 3, 10)
    assert [m.sequence for m in messages_of(found)] == [1, 2, 3]
    assert behind.asked == 0


async def test_another_tenants_buffer_is_not_seen(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """The tenant is part of the key."""
    source, buffer, behind = await short_term_memory(stack, settings)
    conversation = new_id("conv")
    await buffer.write("one", conversation, MESSAGES)
    await source.recent("other", conversation, 3, 10)
    assert behind.asked == 1


async def test_without_redis_the_answer_is_the_same_and_says_so(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Reduced features are said."""
    away = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    source, _, behind = await short_term_memory(stack, away)
    found = await source.recent("tenant", new_id("conv"), 3, 10)
    assert [m.sequence for m in messages_of(found)] == [1, 2, 3]
    assert [d.feature for d in found.found.degradations] == [Feature.FEATURE_SESSION_BUFFER]
    assert behind.asked == 1


@pytest.mark.parametrize("trouble", ["hangs", "fails"])
async def test_storage_in_trouble_is_skipped_and_said(
    stack: AsyncExitStack, settings: Settings, trouble: str
) -> None:
    """Late or down: reported, never waited for."""
    source, _, behind = await short_term_memory(stack, settings, seconds=0.3)
    behind.trouble = trouble
    found = await source.recent("tenant", new_id("conv"), 3, 10)
    assert (messages_of(found), found.skipped) == ([], True)
    assert [d.feature for d in found.found.degradations] == [Feature.FEATURE_FULL_CONTEXT]


def test_recency_falls_evenly() -> None:
    """The latest message scores 1."""
    scores = [round(item.score, 3) for item in recent(MESSAGES)]
    assert scores == [0.333, 0.667, 1.0]


def test_a_text_is_sent_once() -> None:
    """It is in the message."""
    item, *_ = recent(MESSAGES)
    assert (item.content, item.message.content) == ("", "text 1")


def long_messages(count: int, characters: int = 10_000) -> list[Message]:
    """Messages of three bytes a character."""
    return [Message(sequence=n + 1, content="\u9577" * characters) for n in range(count)]


async def test_a_buffer_is_bounded_by_bytes_and_answers_all_the_same(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Enough of the newest messages is a hit, though older ones were cut off."""
    source, buffer, behind = await short_term_memory(stack, settings)
    conversation, messages = new_id("conv"), long_messages(30)
    for message in messages:
        await buffer.write("tenant", conversation, [message])
    kept = await stored_bytes(settings, conversation)
    assert KEPT_BYTES - LARGEST_BYTES < kept <= KEPT_BYTES
    found = await source.recent("tenant", conversation, 30, 200)
    assert messages_of(found) == enough(messages)
    assert behind.asked == 0


async def stored_bytes(settings: Settings, conversation_id: str) -> int:
    """What Redis has of a conversation."""
    async with open_redis(settings) as redis:
        key = tenant_key("tenant", "buffer", conversation_id)
        assert 0 < await redis.ttl(key) <= KEPT_SECONDS
        return sum(map(len, await redis.zrange(key, 0, -1)))


async def test_writing_many_messages_at_once_keeps_the_newest(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """As after a miss."""
    _, buffer, _ = await short_term_memory(stack, settings)
    conversation, messages = new_id("conv"), long_messages(30)
    await buffer.write("tenant", conversation, messages)
    assert await stored_bytes(settings, conversation) <= KEPT_BYTES
    assert await buffer.read("tenant", conversation, 30, 200) == enough(messages)


async def test_a_message_that_is_too_large_is_a_gap(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """Postgres answers."""
    _, buffer, _ = await short_term_memory(stack, settings)
    conversation, (huge,) = new_id("conv"), long_messages(1, LARGEST_BYTES)
    await buffer.write("tenant", conversation, [huge])
    await buffer.write("tenant", conversation, MESSAGES[1:])
    assert await buffer.read("tenant", conversation, 1, 1) is None
    assert await buffer.read("tenant", conversation, 3, 10) is None
    assert await buffer.read("tenant", conversation, 3, 2) == MESSAGES[1:]


async def test_a_part_of_the_newest_messages_is_a_miss(
    stack: AsyncExitStack, settings: Settings
) -> None:
    """As after Redis lost the rest."""
    _, buffer, _ = await short_term_memory(stack, settings)
    conversation = new_id("conv")
    await buffer.write("tenant", conversation, MESSAGES[1:])
    assert await buffer.read("tenant", conversation, 3, 10) is None


def test_enough_is_the_newest_messages_and_one_at_least() -> None:
    """However large it is."""
    assert enough([]) == []
    assert enough(long_messages(2, ENOUGH_BYTES)) == long_messages(2, ENOUGH_BYTES)[1:]
    few = enough(long_messages(30))
    assert size_of(few) >= ENOUGH_BYTES > size_of(few[1:])
