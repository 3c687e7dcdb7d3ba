"""Who is in conversations, in all processes together: kept in Redis."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from redis.asyncio import Redis

from servers.chat_hub.attendance import Seat
from servers.runtime.redis import tenant_key
from servers.runtime.redis_script import Script
from servers.runtime.resources import Resource

SCRIPT = Script(Path(__file__).with_name("presence.lua").read_text())
KEPT_SECONDS = 60.0
"""A seat whose process does not renew it for so long is empty."""

Looks = Mapping[Seat, tuple[list[str], list[str]]]
"""By seat: who was in its conversation before, who is in it now."""


class SharedAttendance:
    """Seats taken and left by this process. Errors of Redis are the caller's to catch."""

    def __init__(
        self, redis: Resource[Redis], process: str, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives seconds since 1970."""
        self._redis = redis
        self._process = process
        self._clock = clock

    async def enter(self, seats: Sequence[Seat]) -> Looks:
        """Takes seats of one user, or keeps them."""
        return await self._run("enter", seats)

    async def leave(self, seats: Sequence[Seat]) -> Looks:
        """Leaves seats of one user."""
        return await self._run("leave", seats)

    async def _run(self, verb: str, seats: Sequence[Seat]) -> Looks:
        if not seats:
            return {}
        redis, now = await self._redis.get(), self._clock()
        keys = [tenant_key(seat.tenant_id, "presence", seat.conversation_id) for seat in seats]
        user = seats[0].user_id
        found = await SCRIPT.run(redis, keys, [verb, user, self._process, now, now + KEPT_SECONDS])
        return {
            seat: (_names(before), _names(after))
            for seat, (before, after) in zip(seats, found, strict=True)
        }


def _names(users: Sequence[bytes]) -> list[str]:
    return [user.decode() for user in users]
