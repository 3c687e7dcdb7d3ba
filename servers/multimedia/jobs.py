"""Jobs on files: who waits for whom, and for how long they run."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Self

from servers.multimedia.configuration import Media
from servers.multimedia.lane import Busy, Lane
from servers.multimedia.said import ImageWish, RecordingWish, Said, SightWish
from servers.runtime.limited import Limits, Room, Source

WITHIN = "servers.multimedia.within"
READERS = ("image", "recording")
LATE_SECONDS = 15.0
"""What a job that minds its time has beyond it, before it is ended."""
MEGABYTE = 1_000_000
CHECK_SECONDS = 5.0


class Queue(StrEnum):
    """What waits for its turn."""

    IMAGES = "images"
    RECORDINGS = "recordings"
    SIGHTS = "sights"


class Jobs:
    """Two rooms. Images as models see them, for which a turn waits, have one of their own: it opens
    at once, and nothing in it takes long. What is in files is found out in the other, which has the
    models; there recordings take all places but one, so that images need not wait for an hour of
    speech."""

    def __init__(self, media: Media, readable: Sequence[Path] = ()) -> None:
        """`readable` are folders of models that are not installed as packages."""
        self._media = media
        modules = [f"{WITHIN}.{name}" for name in (("loaded",) if media.ocr else READERS)]
        reading = Room("media", modules, most=media.jobs, readable=readable)
        sights = Room("sights", [f"{WITHIN}.sight"], most=media.jobs)
        self._reading, self._sights = Lane(reading, media.jobs), Lane(sights, media.jobs)
        self._recordings = asyncio.Semaphore(max(1, media.jobs - 1))

    @asynccontextmanager
    async def place(self, patience: float | None, queue: Queue) -> AsyncIterator[None]:
        """The place of one job, which begins to count its seconds within. Busy if there is none in
        `patience` seconds; None waits for ever."""
        lane = self._sights if queue is Queue.SIGHTS else self._reading
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(patience):
                    if queue is Queue.RECORDINGS:
                        await held.enter_async_context(self._recordings)
                    await held.enter_async_context(lane.place())
            except TimeoutError as late:
                raise Busy from late
            yield

    def sight(self, source: Source, wish: SightWish, seconds: float) -> AsyncGenerator[Said, None]:
        """An image as models see it; JobFailed."""
        return self._sights.run(f"{WITHIN}.sight:prepare", source, wish, self._limits(seconds))

    def of_image(
        self, source: Source, wish: ImageWish, seconds: float
    ) -> AsyncGenerator[Said, None]:
        """What a job says of an image; JobFailed."""
        return self._reading.run(f"{WITHIN}.image:describe", source, wish, self._limits(seconds))

    def of_recording(
        self, source: Source, wish: RecordingWish, seconds: float
    ) -> AsyncGenerator[Said, None]:
        """What a job says of a recording; JobFailed."""
        limits = self._limits(seconds)
        return self._reading.run(f"{WITHIN}.recording:describe", source, wish, limits)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """Closes the rooms at the end; they open with their first file."""
        try:
            yield self
        finally:
            await self.close()

    async def ping(self) -> None:
        """Raises JobFailed if the last job of a room could not be started."""
        for lane in self._lanes:
            lane.require_room()

    async def close_when_idle(self) -> None:
        """Closes a room whenever nobody came for long; the next file opens it again."""
        while True:
            await asyncio.sleep(min(CHECK_SECONDS, self._media.idle_seconds / 4))
            for lane in self._lanes:
                await lane.close_if_idle(self._media.idle_seconds)

    async def close(self) -> None:
        """Ends every job."""
        for lane in self._lanes:
            await lane.close()

    @property
    def _lanes(self) -> tuple[Lane, Lane]:
        return self._reading, self._sights

    def _limits(self, seconds: float) -> Limits:
        return Limits(
            seconds=seconds + LATE_SECONDS,
            cpu_seconds=int(seconds + LATE_SECONDS),
            memory_bytes=self._media.memory_megabytes * MEGABYTE,
        )
