"""Reading streams: from the start or a place, then live, until the last event."""

import time
from collections import Counter as Counts
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent
from servers.stream_processor.coalescing import coalesced
from servers.stream_processor.journal import StreamKey
from servers.stream_processor.journal_memory import MemoryJournal
from servers.stream_processor.sequence import Entry, Mark, numbered
from servers.stream_processor.streams import Streams, unknown_stream

FOLLOWERS = Gauge("kari_chat_stream_followers", "Readers that follow a stream now.")
COALESCED = Counter(
    "kari_chat_stream_coalesced_total", "Deltas that were sent together with an earlier one."
)
LATENCY = Histogram(
    "kari_chat_stream_latency_seconds",
    "From an event's append to its hand-over to a reader that follows live.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
)


class Readers:
    """Those who follow streams in this process. What none of them follows may be forgotten."""

    def __init__(
        self, streams: Streams, memory: MemoryJournal, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._streams = streams
        self._memory = memory
        self._clock = clock
        self._counts: Counts[StreamKey] = Counts()

    @property
    def followed(self) -> frozenset[StreamKey]:
        """The streams that somebody follows here."""
        return frozenset(self._counts)

    async def follow(
        self, key: StreamKey, after: StreamPosition | None
    ) -> AsyncGenerator[TurnEvent, None]:
        """The events behind a place (None: all). NotFound if the stream or the place is gone."""
        with self._counted(key):
            mark = await self._place(key, after)
            live = False
            while not mark.ended:
                entries = self._entries(key, mark)
                for event in self._events(key, entries, mark.seq):
                    yield event
                if live:
                    self._observe(entries)
                mark = entries[-1].mark if entries else mark
                live = True
                if not mark.ended:
                    await self._memory.beyond(key, mark)

    async def _place(self, key: StreamKey, after: StreamPosition | None) -> Mark:
        """The mark from which to read on. As no seq exceeds its index, the entries behind `index =
        seq` are all those that can hold later events, and at most a few earlier ones."""
        stands = await self._streams.stands(key)
        # The place before the first event is the same in every epoch.
        if after is None or not after.seq:
            return Mark(stands.epoch)
        if not _reaches(stands, after):
            stands = await self._streams.refreshed(key)
        if not _reaches(stands, after):
            raise unknown_stream()
        at_the_end = stands.ended and after.seq == stands.seq
        return Mark(after.epoch, index=after.seq, seq=after.seq, ended=at_the_end)

    def _entries(self, key: StreamKey, mark: Mark) -> list[Entry]:
        stands = self._memory.mark(key)
        entries = self._memory.behind(key, mark)
        if stands is None or entries is None or stands.epoch != mark.epoch:
            raise unknown_stream()
        return entries

    def _events(self, key: StreamKey, entries: list[Entry], seq: int) -> list[TurnEvent]:
        found = [event for entry in entries for event in numbered(key.stream_id, entry, seq)]
        if len(found) < 2:
            return found
        sent = list(coalesced(found))
        COALESCED.inc(len(found) - len(sent))
        return sent

    def _observe(self, entries: Iterable[Entry]) -> None:
        now = self._clock()
        for entry in entries:
            LATENCY.observe(max(0, now - entry.created_at) / 1e9)

    @contextmanager
    def _counted(self, key: StreamKey) -> Iterator[None]:
        """Nothing in here waits, so it also works while a generator is being closed."""
        self._counts[key] += 1
        FOLLOWERS.inc()
        try:
            yield
        finally:
            FOLLOWERS.dec()
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]


def _reaches(stands: Mark, place: StreamPosition) -> bool:
    return place.epoch == stands.epoch and place.seq <= stands.seq
