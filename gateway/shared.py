"""Redis as the gateway's counters use it: left alone for a while after it did not answer."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.asyncio import Redis

from gateway.counts import UNSHARED
from servers.runtime.redis import AWAY
from servers.runtime.resources import Resource

REST_SECONDS = 5.0
"""How long Redis is left alone after it did not answer: nobody's message should wait for that."""

T = TypeVar("T")
log = structlog.get_logger("kari.gateway.shared")


class SharedCounters:
    """What all gateways count together."""

    def __init__(self, redis: Resource[Redis]) -> None:
        self._redis = redis
        self._rest_until = 0.0

    @property
    def away(self) -> bool:
        """True from the first failure until Redis answers again."""
        return self._rest_until > 0.0

    async def use(self, work: Callable[[Redis], Awaitable[T]]) -> T | None:
        """What `work` gives; None while Redis is away, and its caller counts alone."""
        if time.monotonic() < self._rest_until:
            UNSHARED.inc()
            return None
        try:
            result = await work(await self._redis.get())
        except AWAY as error:
            self._rest_until = time.monotonic() + REST_SECONDS
            log.warning("counting alone", error=type(error).__name__)
            UNSHARED.inc()
            return None
        self._rest_until = 0.0
        return result
