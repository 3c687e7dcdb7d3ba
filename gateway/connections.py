"""Open sockets of each user, counted over all gateways.

Every socket holds a place in a sorted set of its user, which has to be renewed: the places of a
gateway that died free themselves.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from gateway.shared import SharedCounters
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import RateLimited
from servers.runtime.ids import new_id
from servers.runtime.redis import tenant_key
from servers.runtime.redis_script import Script

PLACE_SECONDS = 90.0

# KEYS[1] places of a user. ARGV: now, end of the new place, its name, limit. Gives 1 if it is held.
_TAKE = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIREAT', KEYS[1], math.ceil(tonumber(ARGV[2]) * 1000))
return 1
""")


@dataclass(frozen=True)
class Open:
    """Something of which a user may have so many open at once."""

    key: str
    reason: Reason.ValueType
    refusal: str


SOCKETS = Open(
    "sockets",
    Reason.REASON_CONNECTION_LIMIT,
    "{limit} open sockets are allowed; close another one first",
)
TRANSFERS = Open(
    "transfers",
    Reason.REASON_UPLOAD_LIMIT,
    "{limit} uploads and downloads at once are allowed; wait for another one to end",
)


class Connections:
    """Places for sockets, or for what else is `open`: at most `limit` a user. Alone, while Redis is
    away."""

    def __init__(self, limit: int, shared: SharedCounters, open_: Open | None = None) -> None:
        self._limit = limit
        self._open = open_ or SOCKETS
        self._shared = shared
        self._held: dict[str, set[str]] = {}

    @asynccontextmanager
    async def place(self, who: Principal) -> AsyncIterator[None]:
        """Holds a place as long as the block runs; RateLimited if there is none."""
        key, name = tenant_key(who.tenant_id, self._open.key, who.user_id), new_id("sock")
        if not await self._take(key, name, len(self._held.get(key, ()))):
            raise self._too_many()
        self._held.setdefault(key, set()).add(name)
        try:
            yield
        finally:
            self._release(key, name)
            await self._give_back(key, name)

    async def renew(self) -> None:
        """Renews every place that this process holds. Call it well within 90 s."""
        held = [(key, name) for key, names in self._held.items() for name in names]
        if held:
            await self._shared.use(lambda client: _renew(client, held))

    def _too_many(self) -> RateLimited:
        return RateLimited(
            self._open.reason,
            self._open.refusal.format(limit=self._limit),
            retryable=False,
            limit=self._limit,
        )

    def _release(self, key: str, name: str) -> None:
        self._held[key].discard(name)
        if not self._held[key]:
            del self._held[key]

    async def _take(self, key: str, name: str, alone: int) -> bool:
        now = time.time()
        values = (now, now + PLACE_SECONDS, name, self._limit)
        taken = await self._shared.use(lambda client: _TAKE.run(client, [key], values))
        return alone < self._limit if taken is None else bool(taken)

    async def _give_back(self, key: str, name: str) -> None:
        await self._shared.use(lambda client: client.zrem(key, name))


async def _renew(client: Redis, held: Sequence[tuple[str, str]]) -> None:
    until = time.time() + PLACE_SECONDS
    async with client.pipeline(transaction=False) as pipe:
        for key, name in held:
            pipe.zadd(key, {name: until})
            pipe.pexpireat(key, int(until * 1000))
        await pipe.execute()
