"""Frames that wait for one socket: bounded, so that a slow reader holds up only its streams."""

import asyncio

from gateway.closing import Closing

MOST_FRAMES = 64
MOST_BYTES = 262_144


class Outbox:
    """A queue that is full at 64 frames or 256 KiB. Its last item is the closing."""

    def __init__(self) -> None:
        # Lists: nearly every outbox is empty, and an empty deque takes ten times the memory.
        self._items: list[str | bytes] = []
        self._bytes = 0
        self._closing: Closing | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self.closed = False
        """True once it takes no more frames."""

    async def put(self, item: str | bytes) -> None:
        """Adds a frame; waits while there is no room. After the closing it is dropped."""
        while not (self.closed or self._has_room()):
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]
        if not self.closed:
            self._items.append(item)
            self._bytes += len(item)

    def get(self) -> str | bytes | Closing | None:
        """The next frame; when none are left, the closing, once; None if there is nothing."""
        if not self._items:
            closing, self._closing = self._closing, None
            return closing
        item = self._items.pop(0)
        self._bytes -= len(item)
        self._wake()
        return item

    def close(self, closing: Closing) -> None:
        """Takes no more frames; the first closing counts."""
        if not self.closed:
            self.closed, self._closing = True, closing
            self._wake()

    def cut(self) -> None:
        """Forgets what is left, the closing too: nothing goes out any more."""
        self._items.clear()
        self.closed, self._closing = True, None
        self._wake()

    def _has_room(self) -> bool:
        return len(self._items) < MOST_FRAMES and self._bytes < MOST_BYTES

    def _wake(self) -> None:
        """Wakes all who wait: of one alone nobody knows whether it still does."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
