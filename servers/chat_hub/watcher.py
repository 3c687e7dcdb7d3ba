"""One Watch call: its mailbox, and waiting for it."""

import asyncio

from kari.chat_hub.v1.chat_hub_pb2 import WatchResponse
from kari.errors.v1.errors_pb2 import Reason
from servers.chat_hub.mailbox import Mailbox
from servers.runtime.errors import RateLimited


class Watcher:
    """Takes news without waiting and gives them one by one."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._there = asyncio.Event()

    def put(self, event: WatchResponse) -> None:
        """Takes an event, unless it is not for this watcher."""
        if self._mailbox.put(event):
            self._there.set()

    async def next(self) -> WatchResponse:
        """The next event, when there is one. RateLimited if some could not be kept."""
        while True:
            if self._mailbox.overflowed:
                raise _too_slow()
            event = self._mailbox.take()
            if event is not None:
                return event
            self._there.clear()
            await self._there.wait()


def _too_slow() -> RateLimited:
    return RateLimited(
        Reason.REASON_READER_TOO_SLOW, "too much waits for this watcher; watch again and read anew"
    )
