"""Streams in the memory of this process: of those that are written or followed here."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from servers.stream_processor.journal import StreamKey
from servers.stream_processor.sequence import Entry, Mark

ENTRY_BYTES = 300
"""What an entry takes besides its payload, measured on CPython 3.11."""
MOST_BYTES = 256 * 1024 * 1024


@dataclass
class _Record:
    entries: list[Entry]
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    touched: float = field(default_factory=time.monotonic)

    @property
    def mark(self) -> Mark:
        return self.entries[-1].mark

    def behind(self, mark: Mark) -> list[Entry]:
        # Who keeps up misses one.
        if self.entries[-1].mark.at(mark):
            return []
        if len(self.entries) > 1 and self.entries[-2].mark.at(mark):
            return self.entries[-1:]
        return self.entries[bisect_right(self.entries, _place(mark), key=_place_of) :]

    def wake(self) -> None:
        """Wakes those who wait now; who comes later waits for the next change."""
        self.changed.set()
        self.changed = asyncio.Event()


class MemoryJournal:
    """A journal that ends with the process. `size` is about what it takes, in bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._records: dict[StreamKey, _Record] = {}
        self._most_bytes = most_bytes
        self.size = 0

    @property
    def full(self) -> bool:
        """True while it holds as much as it should; to refuse then is its owner's part."""
        return self.size >= self._most_bytes

    def mark(self, key: StreamKey) -> Mark | None:
        """Where a stream stands; None if it is not here."""
        record = self._records.get(key)
        return record.mark if record else None

    def last(self, key: StreamKey) -> Entry | None:
        """What was added to a stream last; None if it is not here."""
        record = self._records.get(key)
        return record.entries[-1] if record else None

    def behind(self, key: StreamKey, after: Mark | None) -> list[Entry] | None:
        """As `read`, which need not wait here."""
        record = self._records.get(key)
        if record is None:
            return None
        return list(record.entries) if after is None else record.behind(after)

    def forget(self, key: StreamKey) -> None:
        """Drops a stream and wakes who waits for it."""
        record = self._records.pop(key, None)
        if record is not None:
            self.size -= _size(record.entries)
            record.wake()

    def idle_seconds(self, key: StreamKey) -> float:
        """For how long nothing was added to a stream; 0 if it is not here."""
        record = self._records.get(key)
        return time.monotonic() - record.touched if record else 0.0

    def longest_idle(self) -> list[StreamKey]:
        """The streams, first those to which nothing was added for the longest time."""
        return sorted(self._records, key=lambda key: self._records[key].touched)

    async def append(
        self, key: StreamKey, after: Mark | None, entries: Sequence[Entry]
    ) -> Mark | None:
        """See Journal."""
        record = self._records.get(key)
        stands = record.mark if record else None
        if not _same(stands, after):
            return stands
        if record is None:
            record = self._records[key] = _Record([])
        record.entries.extend(entries)
        record.touched = time.monotonic()
        self.size += _size(entries)
        record.wake()
        return record.mark

    async def read(self, key: StreamKey, after: Mark | None = None) -> list[Entry] | None:
        """See Journal."""
        return self.behind(key, after)

    async def news(
        self, marks: Mapping[StreamKey, Mark], seconds: float | None
    ) -> Mapping[StreamKey, Sequence[Entry]]:
        """See Journal."""
        found = self._found(marks)
        if not found:
            try:
                async with asyncio.timeout(seconds):
                    await self._change_of(marks)
            except TimeoutError:
                return {}
            found = self._found(marks)
        return found

    def _found(self, marks: Mapping[StreamKey, Mark]) -> dict[StreamKey, list[Entry]]:
        known = ((key, self._records.get(key), mark) for key, mark in marks.items())
        found = {key: record.behind(mark) for key, record, mark in known if record is not None}
        return {key: entries for key, entries in found.items() if entries}

    async def beyond(self, key: StreamKey, mark: Mark) -> None:
        """Returns when a stream has come further than a mark, or is not here any more."""
        record = self._records.get(key)
        if record is not None and _place(record.mark) <= _place(mark):
            await record.changed.wait()

    async def _change_of(self, marks: Mapping[StreamKey, Mark]) -> None:
        """Returns when one of the streams that are here changes."""
        records = [self._records[key] for key in marks if key in self._records]
        if len(records) == 1:
            await records[0].changed.wait()
            return
        waits = [asyncio.create_task(record.changed.wait()) for record in records]
        try:
            if waits:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _place(mark: Mark) -> tuple[int, int]:
    return mark.epoch, mark.index


def _place_of(entry: Entry) -> tuple[int, int]:
    return _place(entry.mark)


def _same(one: Mark | None, other: Mark | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.at(other)


def _size(entries: Sequence[Entry]) -> int:
    return sum(ENTRY_BYTES + len(entry.payload) for entry in entries)
