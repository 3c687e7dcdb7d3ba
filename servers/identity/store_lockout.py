"""The attempts at a name in Redis, which all processes share; in the process while it is away."""

import hashlib
import time
from typing import cast

import structlog
from redis.asyncio import Redis

from servers.identity.lockout import FORGOTTEN_SECONDS, ProcessLockout, delay_after
from servers.runtime.redis import AWAY, tenant_key
from servers.runtime.resources import Resource

log = structlog.get_logger("kari.identity")


class Lockout:
    """Delays for names at which passwords are guessed. Names are hashed: anything may be typed."""

    def __init__(self, redis: Resource[Redis]) -> None:
        self._redis = redis
        self._process = ProcessLockout(time.monotonic)

    async def begin(self, tenant: str, name: str) -> float:
        """Counts an attempt before its password is looked at, so that many at once do not slip
        through; gives the seconds to wait if it is too early, else 0."""
        try:
            return await _begin(await self._redis.get(), _key(tenant, name))
        except AWAY as error:
            log.warning("lockout counts in this process only", error=type(error).__name__)
            return self._process.begin(_key(tenant, name))

    async def succeeded(self, tenant: str, name: str) -> None:
        """Forgets a name whose owner came in."""
        key = _key(tenant, name)
        self._process.succeeded(key)
        try:
            await (await self._redis.get()).delete(key, _gate(key))
        except AWAY as error:
            log.warning("attempts stay counted", error=type(error).__name__)


async def _begin(redis: Redis, key: str) -> float:
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.incr(key)
        pipeline.expire(key, FORGOTTEN_SECONDS)
        pipeline.pttl(_gate(key))
        attempts, _, waiting = cast(tuple[int, bool, int], tuple(await pipeline.execute()))
    delay = delay_after(attempts)
    # The gate is closed by whoever passes it: one attempt at a time, however many come at once.
    if waiting > 0 or (delay and not await redis.set(_gate(key), 1, px=int(delay * 1e3), nx=True)):
        await redis.decr(key)
        return max(waiting, 1000) / 1e3
    return 0.0


def _gate(key: str) -> str:
    return f"{key}:gate"


def _key(tenant: str, name: str) -> str:
    return tenant_key(hashlib.sha256(tenant.encode()).hexdigest()[:16], "sign-in", _hashed(name))


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
