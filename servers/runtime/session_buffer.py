"""The session buffer: the last messages of a conversation in Redis, ordered by sequence.

A sorted set for each conversation, score = sequence, member = the serialized message. Reading is
all or nothing: a gap, as after a lost write, is a miss, and Postgres has the truth.
"""

from collections.abc import Sequence

from redis.asyncio import Redis

from kari.conversation_models.v1.message_pb2 import Message
from servers.runtime.redis import tenant_key
from servers.runtime.resources import Resource

KEPT_MESSAGES = 200
KEPT_SECONDS = 24 * 3600


class SessionBuffer:
    """Reads and writes the buffers. Errors of Redis are the caller's to catch."""

    def __init__(self, redis: Resource[Redis]) -> None:
        self._redis = redis

    async def read(
        self, tenant_id: str, conversation_id: str, through_sequence: int, limit: int
    ) -> list[Message] | None:
        """The last `limit` messages up to a sequence, the oldest first; None if any is missing."""
        first = max(1, through_sequence - limit + 1)
        redis = await self._redis.get()
        found = await redis.zrange(
            _key(tenant_id, conversation_id), first, through_sequence, byscore=True
        )
        messages = [Message.FromString(member) for member in found if isinstance(member, bytes)]
        wanted = list(range(first, through_sequence + 1))
        return messages if [m.sequence for m in messages] == wanted else None

    async def write(
        self, tenant_id: str, conversation_id: str, messages: Sequence[Message]
    ) -> None:
        """Adds messages; writing one again changes nothing."""
        key = _key(tenant_id, conversation_id)
        members = {m.SerializeToString(deterministic=True): m.sequence for m in messages}
        async with (await self._redis.get()).pipeline(transaction=False) as pipeline:
            # A message that was written before in other bytes would stand beside itself.
            sequences = members.values()
            pipeline.zremrangebyscore(key, min(sequences), max(sequences))
            pipeline.zadd(key, members)
            pipeline.zremrangebyrank(key, 0, -KEPT_MESSAGES - 1)
            pipeline.expire(key, KEPT_SECONDS)
            await pipeline.execute()


def _key(tenant_id: str, conversation_id: str) -> str:
    return tenant_key(tenant_id, "buffer", conversation_id)
