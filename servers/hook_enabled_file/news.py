"""Who follows a file is told when it gets further, if that happens in this process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class News:
    """One event a follower."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}

    def tell(self, file_id: str) -> None:
        """The file has got further."""
        for event in self._events.get(file_id, ()):
            event.set()

    @contextmanager
    def of(self, file_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the file gets further."""
        event = asyncio.Event()
        self._events.setdefault(file_id, set()).add(event)
        try:
            yield event
        finally:
            events = self._events[file_id]
            events.discard(event)
            if not events:
                del self._events[file_id]
