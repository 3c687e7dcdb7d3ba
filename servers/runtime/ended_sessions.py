"""Sessions that were ended before their access tokens are, in Redis.

Servers verify tokens without asking anybody, so a token outlives its session by some minutes. Who
wants to know at once looks here. Postgres has the truth; without Redis a token lives on to its end.
"""

import structlog
from redis.asyncio import Redis

from servers.runtime.redis import AWAY, tenant_key
from servers.runtime.resources import Resource

log = structlog.get_logger("kari.sessions")


class EndedSessions:
    """Remembers an ended session for `seconds`, the life of an access token."""

    def __init__(self, redis: Resource[Redis], seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds

    async def add(self, tenant_id: str, session_id: str) -> None:
        """Notes that a session was ended; nothing happens while Redis is away."""
        try:
            redis = await self._redis.get()
            await redis.set(_key(tenant_id, session_id), 1, ex=self._seconds)
        except AWAY as error:
            log.warning("an ended session's tokens live on", error=type(error).__name__)

    async def has(self, tenant_id: str, session_id: str) -> bool:
        """Whether a session is known to have ended; False while Redis is away."""
        try:
            redis = await self._redis.get()
            return bool(await redis.exists(_key(tenant_id, session_id)))
        except AWAY as error:
            log.warning("ended sessions are not known", error=type(error).__name__)
            return False


def _key(tenant_id: str, session_id: str) -> str:
    return tenant_key(tenant_id, "ended", session_id)
