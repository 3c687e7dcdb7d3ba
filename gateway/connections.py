"""Open sockets of each user, counted over all gateways.

Every socket holds a place in a sorted set of its user, which has to be renewed: the places of a
gateway that died free themselves.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from redis.asyncio import Redis

from gateway.counts import UNSHARED
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import RateLimited
from servers.runtime.ids import new_id
from servers.runtime.redis import AWAY, tenant_key
from servers.runtime.resources import Resource

PLACE_SECONDS = 90.0
log = structlog.get_logger("kari.gateway.connections")

# KEYS[1] places of a user. ARGV: now, end of the new place, its name, limit. Gives 1 if it is held.
_TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIREAT', KEYS[1], math.ceil(tonumber(ARGV[2]) * 1000))
return 1
"""


class Connections:
    """Places for sockets: at most `limit` a user. Alone, while Redis is away."""

    def __init__(self, limit: int, redis: Resource[Redis]) -> None:
        self._limit = limit
        self._redis = redis
        self._held: dict[str, set[str]] = {}

    @asynccontextmanager
    async def place(self, who: Principal) -> AsyncIterator[None]:
        """Holds a place as long as the block runs; RateLimited if there is none."""
        key, name = tenant_key(who.tenant_id, "sockets", who.user_id), new_id("sock")
        if not await self._take(key, name, len(self._held.get(key, ()))):
            raise _too_many(self._limit)
        self._held.setdefault(key, set()).add(name)
        try:
            yield
        finally:
            self._release(key, name)
            await self._give_back(key, name)

    async def renew(self) -> None:
        """Renews every place that this process holds. Call it well within 90 s."""
        held = [(key, name) for key, names in self._held.items() for name in names]
        if not held:
            return
        until = time.time() + PLACE_SECONDS
        with suppress(*AWAY):
            async with (await self._redis.get()).pipeline(transaction=False) as pipe:
                for key, name in held:
                    pipe.zadd(key, {name: until})
                    pipe.pexpireat(key, int(until * 1000))
                await pipe.execute()

    def _release(self, key: str, name: str) -> None:
        self._held[key].discard(name)
        if not self._held[key]:
            del self._held[key]

    async def _take(self, key: str, name: str, alone: int) -> bool:
        now = time.time()
        try:
            client = await self._redis.get()
            taken = await client.eval(_TAKE, 1, key, now, now + PLACE_SECONDS, name, self._limit)
        except AWAY as error:
            UNSHARED.inc()
            log.warning("open sockets are counted alone", error=type(error).__name__)
            return alone < self._limit
        return bool(taken)

    async def _give_back(self, key: str, name: str) -> None:
        with suppress(*AWAY):
            await (await self._redis.get()).zrem(key, name)


def _too_many(limit: int) -> RateLimited:
    return RateLimited(
        Reason.REASON_CONNECTION_LIMIT,
        f"{limit} open sockets are allowed; close another one first",
        retryable=False,
        limit=limit,
    )
