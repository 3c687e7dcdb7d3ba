"""The room that files leave on their disk to everything else that lies there."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import Counter

from kari.errors.v1.errors_pb2 import Reason
from servers.file_attachment.parts import PART_BYTES
from servers.runtime.errors import Unavailable

MOST_BYTES = 1024**3
SHARE = 20
"""The reserve is a twentieth of the disk, and no more than MOST_BYTES, unless a setting says it."""
LARGEST_PART = 2 * PART_BYTES
"""A part is as large as PART_BYTES and the step with which it came to be."""

REFUSED = Counter("kari_chat_file_parts_without_room_total", "Parts that a full disk refused.")


class Reserve:
    """Of the disk of a folder: `least_bytes` of it stay free; None is the default."""

    def __init__(self, folder: Path, least_bytes: int | None = None) -> None:
        self._folder = folder
        self._least_bytes = least_bytes
        self._under_way = 0
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def holding(self, size: int) -> AsyncIterator[None]:
        """Holds room for `size` bytes that are written in the block; Unavailable, before any is, if
        too little is left beside the reserve. What is being written counts in full, though some
        of it is on the disk: where that decides, its end is waited for."""
        while not await self._fits(size):
            if not self._under_way:
                REFUSED.inc()
                raise _nearly_full()
            await self._ended.wait()
        self._under_way += size
        try:
            yield
        finally:
            self._under_way -= size
            self._ended.set()
            self._ended = asyncio.Event()

    async def _fits(self, size: int) -> bool:
        """Counts what ended while the disk was looked at as well: it may not have stood there."""
        before = self._under_way
        return await self._beyond() >= max(before, self._under_way) + size

    async def ping(self) -> None:
        """Unavailable if there may be no room for a part."""
        if await self._beyond() < LARGEST_PART:
            raise _nearly_full()

    async def _beyond(self) -> float:
        """Free bytes beside the reserve."""
        found = await asyncio.to_thread(os.statvfs, self._folder)
        return beyond(found, self._least_bytes)


def beyond(disk: os.statvfs_result, least_bytes: int | None) -> float:
    """Bytes that are free on a disk beside the reserve; a disk that does not tell its size has room
    without end."""
    if not disk.f_blocks:
        return float("inf")
    least = least_bytes
    if least is None:
        least = min(MOST_BYTES, disk.f_blocks * disk.f_frsize // SHARE)
    return disk.f_bavail * disk.f_frsize - least


def _nearly_full() -> Unavailable:
    return Unavailable(
        Reason.REASON_STORE_UNAVAILABLE,
        "the disk of this Kari is nearly full: what has come is kept, and more is taken once files "
        "are deleted or the disk has room",
        store="objects",
        retry_after=30.0,
    )
