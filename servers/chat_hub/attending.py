"""Telling who comes and goes, in this process and in others."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from kari.chat_hub.v1.chat_hub_pb2 import WatchResponse
from servers.chat_hub.attendance import Attendance, Seat, differences, presence
from servers.chat_hub.fan_out import PATIENCE_SECONDS, FanOut
from servers.chat_hub.store_attendance import KEPT_SECONDS, Looks, SharedAttendance
from servers.runtime.redis import AWAY, tenant_key

LINGER_SECONDS = 2.0
"""How long somebody who left counts as there: pages are loaded again, lists on screen change."""


class Attending:
    """Who is where. Without Redis, who is here."""

    def __init__(
        self,
        shared: SharedAttendance,
        fan_out: FanOut,
        *,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._shared = shared
        self._fan_out = fan_out
        self._linger_seconds = linger_seconds
        self._here = Attendance()
        # One look at a time, or somebody who goes and comes at once may end up gone.
        self._looking = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def enter(self, seats: Sequence[Seat]) -> list[WatchResponse]:
        """Takes seats of one user and tells the others; gives who is there already."""
        taken = self._here.enter(seats)
        looks = await self._look(self._shared.enter, seats)
        if looks is None:
            for seat in taken:
                await self._tell(seat, presence(seat.conversation_id, seat.user_id, present=True))
        return [news for seat in seats for news in self._present(seat, looks)]

    def leave(self, seats: Sequence[Seat]) -> None:
        """Leaves seats of one user at once; the others are told after a while, if the user has
        not come back."""
        left = self._here.leave(seats)
        if left:
            task = asyncio.create_task(self._leave_later(left))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def renew(self) -> None:
        """Keeps the seats of this process, for ever, and notices whose process died."""
        while True:
            await asyncio.sleep(KEPT_SECONDS / 3)
            await self.look_again()

    async def look_again(self) -> None:
        """Looks at every seat of this process once."""
        for seats in _by_user(self._here.seats()):
            await self._look(self._shared.enter, seats)

    async def close(self) -> None:
        """Leaves all seats of this process now."""
        self._closing.set()
        await asyncio.gather(*self._leaving)
        for seats in _by_user(self._here.seats()):
            await self._look(self._shared.leave, seats)

    async def _leave_later(self, seats: Sequence[Seat]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._linger_seconds):
                await self._closing.wait()
        gone = self._here.empty(seats)
        if await self._look(self._shared.leave, gone) is None:
            for seat in gone:
                await self._tell(seat, presence(seat.conversation_id, seat.user_id, present=False))

    async def _look(
        self, look: Callable[[Sequence[Seat]], Coroutine[Any, Any, Looks]], seats: Sequence[Seat]
    ) -> Looks | None:
        """Looks into Redis and tells what has changed; None if it is away."""
        async with self._looking:
            if self._fan_out.away:
                return None
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    looks = await look(seats)
            except AWAY as error:
                self._fan_out.lost(error)
                return None
        for seat, (before, now) in looks.items():
            for news in differences(seat.conversation_id, before, now):
                await self._tell(seat, news)
        return looks

    def _present(self, seat: Seat, looks: Looks | None) -> Iterable[WatchResponse]:
        here = self._here.users(seat.tenant_id, seat.conversation_id)
        there = looks[seat][1] if looks is not None else here
        return (presence(seat.conversation_id, user, present=True) for user in sorted(there))

    async def _tell(self, seat: Seat, news: WatchResponse) -> None:
        await self._fan_out.publish(channel_of(seat.tenant_id, seat.conversation_id), news)


def channel_of(tenant_id: str, conversation_id: str) -> str:
    """The channel of a conversation."""
    return tenant_key(tenant_id, "watch", conversation_id)


def _by_user(seats: Iterable[Seat]) -> list[list[Seat]]:
    def user(seat: Seat) -> tuple[str, str]:
        return seat.tenant_id, seat.user_id

    return [list(group) for _, group in groupby(sorted(seats, key=user), key=user)]
