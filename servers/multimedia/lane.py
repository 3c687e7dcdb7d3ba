"""A room and its places: how many jobs at a time, and when its processes are there."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import msgspec

from servers.multimedia.said import Said, Wish, encoded, heard
from servers.runtime.limited import JobFailed, Limits, Room, Source, Why


class Busy(Exception):
    """Others have the places, for longer than somebody may wait."""


class Lane:
    """The room opens with the first job, and closes when nobody came for long."""

    def __init__(self, room: Room, places: int) -> None:
        self._room = room
        self._places = asyncio.Semaphore(places)
        self._running = 0
        self._last = 0.0
        self._open = False
        self._problem: JobFailed | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """The place of one job, as soon as there is one."""
        async with self._places:
            yield

    async def run(
        self, function: str, source: Source, wish: Wish, limits: Limits
    ) -> AsyncGenerator[Said, None]:
        """What a job says; JobFailed."""
        pieces = self._room.run(function, source, encoded(wish), limits)
        self._running += 1
        self._open = True
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    yield _heard(piece)
            self._problem = None
        except JobFailed as failed:
            self._problem = failed if failed.why is Why.ROOM else None
            raise
        finally:
            self._running -= 1
            self._last = asyncio.get_running_loop().time()

    def require_room(self) -> None:
        """Raises JobFailed if the last job could not be started."""
        if self._problem is not None:
            raise self._problem

    async def close_if_idle(self, seconds: float) -> None:
        """Closes the room if nobody came for so long."""
        idle = asyncio.get_running_loop().time() - self._last
        if self._open and not self._running and idle > seconds:
            await self.close()

    async def close(self) -> None:
        """Ends every job; the next one opens the room again."""
        self._open = False
        await self._room.close()


def _heard(piece: bytes) -> Said:
    try:
        return heard(piece)
    except msgspec.DecodeError as error:  # whoever took over a job may say anything
        raise JobFailed(Why.CRASHED, cause="it said what no reader says") from error
