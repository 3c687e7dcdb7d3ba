"""The session buffer: the last messages of a conversation in Redis, ordered by sequence.

A sorted set for each conversation, score = sequence, member = the serialized message. What is read
has no gap: one, as after a lost write, is a miss, and Postgres has the truth.
"""

from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from kari.conversation_models.v1.message_pb2 import Message
from servers.runtime.redis import tenant_key
from servers.runtime.redis_script import Script
from servers.runtime.resources import Resource

KEPT_MESSAGES = 200
KEPT_BYTES = 256 * 1024
KEPT_SECONDS = 2 * 3600

LARGEST_BYTES = 64 * 1024
"""A larger message is left out: it is a gap."""

ENOUGH_BYTES = KEPT_BYTES - LARGEST_BYTES
"""Whoever reads is given no more messages once they have so many bytes. A buffer from which older
messages were cut off has at least as many."""

_WRITE = Script(Path(__file__).with_suffix(".lua").read_text())


class SessionBuffer:
    """Reads and writes the buffers. Errors of Redis are the caller's to catch."""

    def __init__(self, redis: Resource[Redis]) -> None:
        self._redis = redis

    async def read(
        self, tenant_id: str, conversation_id: str, through_sequence: int, limit: int
    ) -> list[Message] | None:
        """The newest messages up to a sequence, the oldest first: `limit` of them, or as many as
        have ENOUGH_BYTES; None if any of these is missing."""
        first = max(1, through_sequence - limit + 1)
        redis = await self._redis.get()
        found = await redis.zrange(
            _key(tenant_id, conversation_id), first, through_sequence, byscore=True
        )
        messages = enough([Message.FromString(m) for m in found if isinstance(m, bytes)])
        oldest = through_sequence - len(messages) + 1
        if [m.sequence for m in messages] != list(range(oldest, through_sequence + 1)):
            return None
        complete = oldest <= first or size_of(messages) >= ENOUGH_BYTES
        return messages if complete else None

    async def write(
        self, tenant_id: str, conversation_id: str, messages: Sequence[Message]
    ) -> None:
        """Adds messages, the oldest first; writing one again changes nothing."""
        arguments: list[int | bytes] = []
        for message in enough(messages, KEPT_BYTES):
            member = message.SerializeToString(deterministic=True)
            if len(member) <= LARGEST_BYTES:
                arguments += (message.sequence, member)
        if arguments:
            redis, key = await self._redis.get(), _key(tenant_id, conversation_id)
            bounds = (KEPT_MESSAGES, KEPT_BYTES, KEPT_SECONDS)
            await _WRITE.run(redis, [key], [*bounds, *arguments])


def enough(messages: Sequence[Message], wanted: int = ENOUGH_BYTES) -> list[Message]:
    """The newest of messages (the oldest first): no more than it takes to have `wanted` bytes."""
    bytes_, count = 0, 0
    while count < len(messages) and bytes_ < wanted:
        count += 1
        bytes_ += messages[-count].ByteSize()
    return list(messages[len(messages) - count :])


def size_of(messages: Sequence[Message]) -> int:
    """Bytes of messages, serialized."""
    return sum(message.ByteSize() for message in messages)


def _key(tenant_id: str, conversation_id: str) -> str:
    return tenant_key(tenant_id, "buffer", conversation_id)
