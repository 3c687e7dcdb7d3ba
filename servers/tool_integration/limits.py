"""How often a user may call a tool: counted in Redis for all processes together; in the process
while it is away."""

import time
from collections.abc import Callable
from pathlib import Path

import structlog
from redis.asyncio import Redis

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import RateLimited
from servers.runtime.ids import new_id
from servers.runtime.redis import AWAY, tenant_key
from servers.runtime.redis_script import Script
from servers.runtime.resources import Resource
from servers.tool_integration.metrics import LIMITS_ALONE
from servers.tool_integration.tool import Tool
from servers.tool_integration.windows import HOUR, MINUTE, Windows

SCRIPT = Script(Path(__file__).with_suffix(".lua").read_text())

log = structlog.get_logger("kari.tool_integration")


class Limits:
    """Counts calls. `clock` gives seconds since 1970."""

    def __init__(self, redis: Resource[Redis], clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._alone = Windows()

    async def take(self, tool: Tool, who: Principal) -> None:
        """Counts a call; RateLimited, and not counted, if the user has had as many as the tool
        allows in the last minute or hour."""
        if not tool.calls_per_minute and not tool.calls_per_hour:
            return
        window, wait = await self._taken(tool, who)
        if window:
            raise _too_many(tool, window, wait)

    async def _taken(self, tool: Tool, who: Principal) -> tuple[float, float]:
        key = tenant_key(who.tenant_id, "tool-calls", who.user_id, tool.id)
        limits, now = (tool.calls_per_minute, tool.calls_per_hour), self._clock()
        try:
            redis = await self._redis.get()
            arguments = (int(now * 1e3), new_id("count"), *limits)
            window, wait = await SCRIPT.run(redis, [key], arguments)
        except (*AWAY, LookupError) as error:
            log.warning("calls of tools are counted in this process", error=type(error).__name__)
            LIMITS_ALONE.inc()
            return self._alone.take(key, now, *limits)
        return window / 1e3, wait / 1e3


def _too_many(tool: Tool, window: float, wait: float) -> RateLimited:
    name = {MINUTE: "minute", HOUR: "hour"}[window]
    most = tool.calls_per_minute if window == MINUTE else tool.calls_per_hour
    return RateLimited(
        Reason.REASON_TOOL_RATE,
        f"`{tool.id}` may be called {most} times in one {name}; try again in {wait:.0f} s",
        retry_after=wait,
        limit=most,
        window=name,
    )
