"""Steps of streams that become rarer while the event loop is late; see `pacing`."""

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from weakref import WeakKeyDictionary

from servers.runtime.pacing import Pace

LOOK_SECONDS = 0.02
"""How often lateness is looked at while anything streams."""


class _Lateness:
    """Looks how late and how busy an event loop is, as long as somebody asks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pace = Pace()
        self._asked = False
        self._looking = False
        self._due = 0.0
        self._used = 0.0

    def pace(self) -> Pace:
        """The pace as of the last look. What was seen before a time without streams says nothing of
        the loop any more."""
        self._asked = True
        if not self._looking:
            self._pace, self._looking = Pace(), True
            self._look_again()
        return self._pace

    def _look_again(self) -> None:
        self._due, self._used = time.monotonic() + LOOK_SECONDS, time.thread_time()
        self._loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        late = time.monotonic() - self._due
        self._pace.note(late, (time.thread_time() - self._used) / (LOOK_SECONDS + late))
        self._looking, self._asked = self._asked, False
        if self._looking:
            self._look_again()


_LATENESS: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Lateness]" = WeakKeyDictionary()


class Steps:
    """The steps of one stream."""

    def __init__(self, share: float = 1.0) -> None:
        """With a `share` of the period for one whose source has steps of its own: it then only
        waits for what the source did not gather."""
        loop = asyncio.get_running_loop()
        self._lateness = _LATENESS.setdefault(loop, _Lateness(loop))
        self._last = 0.0
        self._share = share

    async def next(self, resting: AbstractContextManager[None] | None = None) -> None:
        """Returns when the next step may be made: at once while the event loop keeps up, or if the
        last one was long ago. What has to be waited is waited inside of `resting`."""
        left = self._lateness.pace().rest(time.monotonic() - self._last, self._share)
        if left:
            with resting or nullcontext():
                await asyncio.sleep(left)
        self._last = time.monotonic()
