"""The watchers of this process, by what they watch."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from kari.chat_hub.v1.chat_hub_pb2 import WatchResponse
from servers.chat_hub.watcher import Watcher

WATCHERS = Gauge("kari_chat_watchers", "Watch calls under way.")


class Board:
    """News are put up by channel; a channel is the conversation of a tenant."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[Watcher]] = {}

    @property
    def channels(self) -> frozenset[str]:
        """The channels that somebody watches here."""
        return frozenset(self._watchers)

    @contextmanager
    def joined(self, channels: Iterable[str], watcher: Watcher) -> Iterator[None]:
        """The watcher gets what is put up on the channels inside the block."""
        watched = list(channels)
        WATCHERS.inc()
        for channel in watched:
            self._watchers.setdefault(channel, set()).add(watcher)
        try:
            yield
        finally:
            WATCHERS.dec()
            for channel in watched:
                self.leave(channel, watcher)

    def leave(self, channel: str, watcher: Watcher) -> None:
        """The watcher gets no more of one channel."""
        left = self._watchers.get(channel, set())
        left.discard(watcher)
        if not left:
            self._watchers.pop(channel, None)

    def put(self, channel: str, event: WatchResponse) -> None:
        """Tells the watchers of a channel."""
        for watcher in self._watchers.get(channel, ()):
            watcher.put(event)

    def put_everywhere(self, event: WatchResponse) -> None:
        """Tells all watchers."""
        for watcher in {w for watchers in self._watchers.values() for w in watchers}:
            watcher.put(event)
