"""Frames on their way to one socket: bounded, so that a slow reader holds up only its streams."""

import asyncio
from collections import deque

from gateway.closing import Closing

MOST_FRAMES = 64
MOST_BYTES = 262_144


class Outbox:
    """A queue that is full at 64 frames or 256 KiB. Its last item is the closing."""

    def __init__(self) -> None:
        self._items: deque[str | bytes] = deque()
        self._bytes = 0
        self._closing: Closing | None = None
        self._changed = asyncio.Condition()

    @property
    def closed(self) -> bool:
        """True once it takes no more frames."""
        return self._closing is not None

    async def put(self, item: str | bytes) -> None:
        """Adds a frame; waits while there is no room. After the closing it is dropped."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.closed or self._has_room())
            if not self.closed:
                self._items.append(item)
                self._bytes += len(item)
                self._changed.notify_all()

    async def get(self) -> str | bytes | Closing:
        """The next frame; when none are left, the closing."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._items or self.closed)
            if not self._items:
                assert self._closing is not None  # noqa: S101  # what was waited for
                return self._closing
            item = self._items.popleft()
            self._bytes -= len(item)
            self._changed.notify_all()
            return item

    async def close(self, closing: Closing) -> None:
        """Takes no more frames; the first closing counts."""
        async with self._changed:
            self._closing = self._closing or closing
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return len(self._items) < MOST_FRAMES and self._bytes < MOST_BYTES
