"""Writing streams: the durable journal first, then the memory of this process, which is followed.

Without the durable journal memory alone goes on. What was written meanwhile is owed: it is added to
the journal as soon as that is back, in the middle of a stream too, so that nothing is missing from
it afterwards. If the journal came back empty, memory makes it again, in the same epoch. If another
process began the stream anew meanwhile, that one counts, and readers of the old one are told that
their place is gone.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog
from prometheus_client import Counter

from kari.conversation_models.v1.turn_pb2 import TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import NotFound, Unavailable
from servers.runtime.labelled import labelled
from servers.stream_processor.guarded import GuardedJournal, JournalAway
from servers.stream_processor.journal import StreamKey
from servers.stream_processor.journal_memory import MemoryJournal
from servers.stream_processor.sequence import Entry, Mark, following, new_deltas, opening, text_of

DEGRADED = Counter(
    "kari_chat_stream_degraded_total", "Streams opened without the durable journal.", ("cause",)
)
TOKENS = Counter(
    "kari_chat_tokens_streamed_total",
    "Pieces of answer text taken in. A piece is what the writer hands over as one delta: a token "
    "of the model, or the few that came together.",
)
TRIES = 5
"""How often a writer that others get ahead of tries again before it gives up."""

log = structlog.get_logger("kari.stream_processor")


@dataclass(frozen=True)
class Opened:
    """A stream that takes events. `durable` is false while only this process has it."""

    mark: Mark
    text: str
    durable: bool


class Streams:
    """The streams that are written or followed here."""

    def __init__(
        self,
        memory: MemoryJournal,
        durable: GuardedJournal,
        *,
        expose_reasoning: bool,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`clock` gives nanoseconds since 1970."""
        self._memory = memory
        self._durable = durable
        self._expose_reasoning = expose_reasoning
        self._clock = clock
        self._locks: WeakValueDictionary[StreamKey, asyncio.Lock] = WeakValueDictionary()
        self.owed: set[StreamKey] = set()
        """Streams of which memory has more than the durable journal."""
        self.shared: set[StreamKey] = set()
        """Streams to which other processes were seen to write."""

    async def open(
        self, key: StreamKey, first: Sequence[TurnEvent] = (), correlation_id: str = ""
    ) -> Opened:
        """Creates the stream with its first events, or takes it over with all that is in it; one
        without events gets the first ones."""
        self._require_memory()
        async with self._lock(key):
            durable = await self._establish(key, first, correlation_id)
            mark = self._memory.mark(key)
            if first and mark is not None and not mark.index:
                await self._append(key, 1, first, correlation_id)
            entries = await self._memory.read(key) or []
        return Opened(entries[-1].mark, text_of(entries), durable)

    async def append(
        self, key: StreamKey, first_index: int, events: Sequence[TurnEvent], correlation_id: str
    ) -> Mark:
        """Adds those events that the stream does not have; gives where it stands then. Conflict
        and NotFound as the contract says."""
        async with self._lock(key):
            return await self._append(key, first_index, events, correlation_id)

    async def stands(self, key: StreamKey) -> Mark:
        """Where a stream stands as far as this process knows; its events are in memory then."""
        mark = self._memory.mark(key)
        if mark is not None:
            return mark
        return await self.refreshed(key)

    async def refreshed(self, key: StreamKey) -> Mark:
        """Where a stream stands now, with what other processes have written. NotFound if nobody
        knows it, Unavailable if nobody can be asked."""
        mark = self._memory.mark(key)
        try:
            await self.learn(key, await self._durable.read(key, mark))
        except JournalAway:
            if mark is None:
                raise _journal_away() from None
        found = self._memory.mark(key)
        if found is None:
            raise unknown_stream()
        return found

    async def learn(self, key: StreamKey, entries: Sequence[Entry] | None) -> None:
        """Takes over what another process has written behind what is known here."""
        mark = self._memory.mark(key)
        if mark is not None and entries and entries[0].mark.epoch != mark.epoch:
            self.forget(key)
            mark, entries = None, await self._durable.read(key)
        new = [e for e in entries or () if mark is None or e.mark.index > mark.index]
        if new and (mark is not None or new[0].mark.index == 0):
            self.shared.add(key)
            await self._memory.append(key, mark, new)

    async def settle(self) -> None:
        """Writes down all that is owed."""
        for key in list(self.owed):
            async with self._lock(key):
                if key in self.owed:
                    await self._pay(key)

    def is_written(self, key: StreamKey) -> bool:
        """True while an append is under way here: what the journal shows then may be its own, and
        if it is another's the append finds it."""
        lock = self._locks.get(key)
        return lock is not None and lock.locked()

    def forget(self, key: StreamKey) -> None:
        """Drops a stream from memory, and what is owed of it."""
        self._memory.forget(key)
        self.owed.discard(key)
        self.shared.discard(key)

    async def _append(
        self, key: StreamKey, first_index: int, events: Sequence[TurnEvent], correlation_id: str
    ) -> Mark:
        for _ in range(TRIES):
            mark = await self.stands(key)
            if first_index > mark.index + 1:
                mark = await self.refreshed(key)
            entry = self._following(mark, first_index, events, correlation_id)
            if entry is None:
                return mark
            if await self._write(key, mark, entry):
                TOKENS.inc(new_deltas(mark, first_index, events))
                return entry.mark
        raise Unavailable(Reason.REASON_STORE_UNAVAILABLE, "the stream changes too fast; try again")

    def _following(
        self, mark: Mark, first_index: int, events: Sequence[TurnEvent], correlation_id: str
    ) -> Entry | None:
        return following(
            mark,
            first_index,
            events,
            expose_reasoning=self._expose_reasoning,
            correlation_id=correlation_id,
            created_at=self._clock(),
        )

    def _beginning(self, first: Sequence[TurnEvent], correlation_id: str) -> list[Entry]:
        begin = opening(self._clock())
        entry = self._following(begin.mark, 1, first, correlation_id)
        return [begin, entry] if entry else [begin]

    async def _establish(
        self, key: StreamKey, first: Sequence[TurnEvent], correlation_id: str
    ) -> bool:
        """Sees that memory and the durable journal have the stream; false if only memory has."""
        mine = await self._memory.read(key) or self._beginning(first, correlation_id)
        try:
            stands = await self._durable.append(key, None, mine)
            if stands is not None and stands.at(mine[-1].mark):
                await self._memory.append(key, None, mine)
            await self._agree(key, stands)
        except JournalAway:
            labelled(DEGRADED, "redis").inc()
            self.owed.add(key)
            await self._memory.append(key, None, mine)
        # Whoever opens it here writes here, as far as is known.
        self.shared.discard(key)
        return key not in self.owed

    async def _write(self, key: StreamKey, mark: Mark, entry: Entry) -> bool:
        """True if the entry is in the stream; false if the stream was found to stand elsewhere."""
        try:
            if key in self.owed:
                await self._pay(key)
            if self._memory.mark(key) != mark:
                return False
            stands = await self._durable.append(key, mark, [entry])
            if stands is None or not stands.at(entry.mark):
                await self._agree(key, stands)
                return False
        except JournalAway:
            self.owed.add(key)
        await self._memory.append(key, mark, [entry])
        return True

    async def _pay(self, key: StreamKey) -> None:
        mine = await self._memory.read(key)
        if mine is not None:
            await self._agree(key, await self._durable.append(key, None, mine))
        self.owed.discard(key)

    async def _agree(self, key: StreamKey, there: Mark | None) -> None:
        """Makes memory and the durable journal, which stands at `there`, the same."""
        mine = self._memory.mark(key)
        if mine is not None and there is not None and there.epoch != mine.epoch:
            self.forget(key)
            mine = None
        if mine is None or (there is not None and there.index > mine.index):
            await self.learn(key, await self._durable.read(key, mine))
        elif there is None or there.index < mine.index:
            missing = await self._memory.read(key, there) or []
            log.info("journal is brought up to date", stream=key.stream_id, entries=len(missing))
            await self._durable.append(key, there, missing)
        self.owed.discard(key)

    def _require_memory(self) -> None:
        if self._memory.full:
            raise Unavailable(
                Reason.REASON_STORE_UNAVAILABLE,
                "too many streams are open; try again",
                store="memory",
            )

    def _lock(self, key: StreamKey) -> asyncio.Lock:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock


def unknown_stream() -> NotFound:
    """There is no such stream, or none of this tenant, or not any more."""
    return NotFound(
        Reason.REASON_STREAM_NOT_FOUND, "there is no such stream, or its events are not kept"
    )


def _journal_away() -> Unavailable:
    return Unavailable(
        Reason.REASON_STORE_UNAVAILABLE,
        "the journal of streams does not answer; try again",
        store="redis",
        retry_after=1.0,
    )
