"""Jobs on files: how many at a time, for how long, and when the processes are closed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Self

import msgspec

from servers.multimedia.configuration import Media
from servers.multimedia.said import ImageWish, RecordingWish, Said, SightWish, encoded, heard
from servers.runtime.limited import JobFailed, Limits, Room, Source, Why

WITHIN = "servers.multimedia.within"
READERS = ("image", "recording")
LATE_SECONDS = 15.0
"""What a job that minds its time has beyond it, before it is ended."""
MEGABYTE = 1_000_000
CHECK_SECONDS = 5.0


class Busy(Exception):
    """Others have the places, for longer than somebody may wait."""


class Jobs:
    """One room for all of them; recordings take all places but one, so that images need not wait
    for an hour of speech."""

    def __init__(self, media: Media, readable: Sequence[Path] = ()) -> None:
        """`readable` are folders of models that are not installed as packages."""
        self._media = media
        modules = [f"{WITHIN}.{name}" for name in (("loaded",) if media.ocr else READERS)]
        self._room = Room("media", modules, most=media.jobs, readable=readable)
        self._places = asyncio.Semaphore(media.jobs)
        self._recordings = asyncio.Semaphore(max(1, media.jobs - 1))
        self._running = 0
        self._last = 0.0
        self._open = False
        self._problem: JobFailed | None = None

    @asynccontextmanager
    async def place(self, patience: float | None, *, recording: bool) -> AsyncIterator[None]:
        """The place of one job, which begins to count its seconds within. Busy if there is none in
        `patience` seconds; None waits for ever."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(patience):
                    if recording:
                        await held.enter_async_context(self._recordings)
                    await held.enter_async_context(self._places)
            except TimeoutError as late:
                raise Busy from late
            yield

    def of_image(
        self, source: Source, wish: ImageWish | SightWish, seconds: float
    ) -> AsyncGenerator[Said, None]:
        """What a job says of an image; JobFailed."""
        function = "describe" if isinstance(wish, ImageWish) else "prepare"
        return self._run(f"{WITHIN}.image:{function}", source, wish, seconds)

    def of_recording(
        self, source: Source, wish: RecordingWish, seconds: float
    ) -> AsyncGenerator[Said, None]:
        """What a job says of a recording; JobFailed."""
        return self._run(f"{WITHIN}.recording:describe", source, wish, seconds)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """Closes the room at the end; it opens with the first file."""
        try:
            yield self
        finally:
            await self.close()

    async def ping(self) -> None:
        """Raises JobFailed if the last job could not be started."""
        if self._problem is not None:
            raise self._problem

    async def close_when_idle(self) -> None:
        """Closes the room whenever nobody came for long; the next file opens it again."""
        while True:
            await asyncio.sleep(min(CHECK_SECONDS, self._media.idle_seconds / 4))
            idle = asyncio.get_running_loop().time() - self._last
            if self._open and not self._running and idle > self._media.idle_seconds:
                await self.close()

    async def close(self) -> None:
        """Ends every job."""
        self._open = False
        await self._room.close()

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self._running += 1
        self._open = True
        try:
            yield
        finally:
            self._running -= 1
            self._last = asyncio.get_running_loop().time()

    async def _run(
        self,
        function: str,
        source: Source,
        wish: ImageWish | SightWish | RecordingWish,
        seconds: float,
    ) -> AsyncGenerator[Said, None]:
        limits = Limits(
            seconds=seconds + LATE_SECONDS,
            cpu_seconds=int(seconds + LATE_SECONDS),
            memory_bytes=self._media.memory_megabytes * MEGABYTE,
        )
        pieces = self._room.run(function, source, encoded(wish), limits)
        async with self._counted(), aclosing(pieces):
            try:
                async for piece in pieces:
                    yield _heard(piece)
                self._problem = None
            except JobFailed as failed:
                self._problem = failed if failed.why is Why.ROOM else None
                raise


def _heard(piece: bytes) -> Said:
    try:
        return heard(piece)
    except msgspec.DecodeError as error:  # whoever took over a job may say anything
        raise JobFailed(Why.CRASHED, cause="it said what no reader says") from error
