"""Limits by user, tenant, name and address: shared in Redis, counted alone while it is away."""

import time
from collections.abc import Callable, Sequence

from redis.asyncio import Redis

from gateway.shared import SharedCounters
from gateway.tally import Tally
from gateway.window import Window
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import RateLimited
from servers.runtime.redis import tenant_key
from servers.runtime.redis_script import Script
from servers.runtime.settings import Settings

LOGINS_BY_NAME = Window(10, 60.0, "minute")
LOGINS_BY_ADDRESS = Window(60, 60.0, "minute")
UNSHARED_LIMITS = Degradation(feature=Feature.FEATURE_SHARED_LIMITS, cause="redis")
Counted = tuple[str, Window]

# KEYS: of each window the counter of the one before and its own. ARGV: seconds that each is kept.
# Gives both counts of each, with this event.
_COUNT = Script("""
local found = {}
for i = 1, #KEYS, 2 do
  found[i] = tonumber(redis.call('GET', KEYS[i]) or 0)
  found[i + 1] = redis.call('INCR', KEYS[i + 1])
  if found[i + 1] == 1 then redis.call('EXPIRE', KEYS[i + 1], ARGV[(i + 1) / 2]) end
end
return found
""")


class Limits:
    """Decides whether something may happen now. Raises RateLimited."""

    def __init__(
        self, settings: Settings, shared: SharedCounters, clock: Callable[[], float] = time.time
    ) -> None:
        self._user = Window(settings.messages_per_minute, 60.0, "minute")
        self._tenant = Window(settings.tenant_messages_per_minute, 60.0, "minute")
        self._uploads = Window(settings.uploads_per_minute, 60.0, "minute")
        self._shared = shared
        self._clock = clock
        self._alone = Tally()

    @property
    def degradations(self) -> list[Degradation]:
        """Says if limits are not shared right now."""
        return [UNSHARED_LIMITS] if self._shared.away else []

    async def message(self, who: Principal) -> None:
        """Counts a message of a user and of their tenant."""
        await self._count(
            Reason.REASON_MESSAGE_RATE,
            (
                (tenant_key(who.tenant_id, "rate", "user", who.user_id), self._user),
                (tenant_key(who.tenant_id, "rate", "tenant"), self._tenant),
            ),
        )

    async def upload(self, who: Principal) -> None:
        """Counts an upload that a user begins."""
        key = tenant_key(who.tenant_id, "rate", "uploads", who.user_id)
        await self._count(Reason.REASON_UPLOAD_LIMIT, ((key, self._uploads),))

    async def login(self, tenant: str, name: str, address: str) -> None:
        """Counts an attempt to sign in, by name and by address."""
        await self._count(
            Reason.REASON_SIGN_IN_RATE,
            (
                (tenant_key(tenant or "demo", "rate", "login", name), LOGINS_BY_NAME),
                (f"kari:rate:login:{address}", LOGINS_BY_ADDRESS),
            ),
        )

    async def _count(self, reason: Reason.ValueType, counted: Sequence[Counted]) -> None:
        now = self._clock()
        waits = await self._shared.use(lambda client: _count_in(client, counted, now))
        if waits is None:
            waits = self._alone.count(counted, now)
        for (_, window), wait in zip(counted, waits, strict=True):
            if wait:
                raise _limited(reason, window, wait)


async def _count_in(client: Redis, counted: Sequence[Counted], now: float) -> list[float]:
    """Counts in one command, a third of the price of a pipeline; what is refused does not count."""
    keys = [f"{key}:{window.index(now) + n}" for key, window in counted for n in (-1, 0)]
    seconds = [int(window.seconds * 2) + 1 for _, window in counted]
    found = [int(n) for n in await _COUNT.run(client, keys, seconds)]
    waits = [
        window.wait(before, current, now)
        for (_, window), before, current in zip(counted, found[::2], found[1::2], strict=True)
    ]
    if any(waits):
        await _take_back(client, counted, now)
    return waits


async def _take_back(client: Redis, counted: Sequence[Counted], now: float) -> None:
    async with client.pipeline(transaction=False) as pipe:
        for key, window in counted:
            pipe.decr(f"{key}:{window.index(now)}")
        await pipe.execute()


def _limited(reason: Reason.ValueType, window: Window, wait: float) -> RateLimited:
    return RateLimited(
        reason,
        f"{window.limit} in a {window.name} are allowed; try again in {wait:.0f} s",
        retry_after=wait,
        limit=window.limit,
        window=window.name,
    )
