"""One direction of a stream: serialized messages on their way, bounded as on a socket.

Messages travel as bytes. So nobody shares one that another may still change, sizes are exact, and
what cannot be read is found where it is read. For the small messages of a chat it is also as cheap
as copying: writing and parsing again takes a third of a microsecond.
"""

import asyncio
from collections import deque

WINDOW_BYTES = 65_536
EACH_BYTES = 64
"""What a message costs beside its own bytes, so that small ones are bounded in number as well."""


class Pipe:
    """Between one writer and one reader, both of one event loop."""

    __slots__ = ("_cut", "_ended", "_loop", "_messages", "_reading", "_size", "_writing")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._cut = False
        self._reading: deque[asyncio.Future[None]] = deque()
        self._writing: deque[asyncio.Future[None]] = deque()

    @property
    def drained(self) -> bool:
        """Whether there is nothing to read, now."""
        return not self._messages

    async def put(self, message: bytes) -> bool:
        """Passes a message on as soon as less than a window is waiting; False if it will never be
        read."""
        while self._size >= WINDOW_BYTES and not self._cut:
            await self._turn(self._writing)
        if self._cut or self._ended:
            return False
        self._messages.append(message)
        self._size += len(message) + EACH_BYTES
        if self._reading:
            _next(self._reading)
        return True

    def take(self) -> bytes | None:
        """The next message if there is one."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._size -= len(message) + EACH_BYTES
        if self._writing and self._size < WINDOW_BYTES:
            _next(self._writing)
        return message

    async def get(self) -> bytes | None:
        """The next message; None after the last."""
        while not self._messages and not self._ended and not self._cut:
            await self._turn(self._reading)
        return self.take()

    def end(self) -> None:
        """No messages will follow those that are waiting."""
        self._ended = True
        _all(self._reading)

    def cut(self) -> None:
        """Nothing passes any more; what was waiting is dropped."""
        self._cut = True
        self._messages.clear()
        _all(self._reading)
        _all(self._writing)

    async def _turn(self, waiting: deque[asyncio.Future[None]]) -> None:
        turn = self._loop.create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in waiting:
                waiting.remove(turn)
            elif waiting:
                # It was woken and goes away without having looked.
                _next(waiting)
            raise


def _next(waiting: deque[asyncio.Future[None]]) -> None:
    while waiting:
        turn = waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return


def _all(waiting: deque[asyncio.Future[None]]) -> None:
    while waiting:
        _next(waiting)
