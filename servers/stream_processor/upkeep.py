"""What goes on beside the calls: reading what other processes write, writing down what is owed,
forgetting what nobody needs."""

import asyncio
import time
from collections.abc import Mapping

from prometheus_client import Gauge

from servers.stream_processor.guarded import GuardedJournal, JournalAway
from servers.stream_processor.journal import StreamKey
from servers.stream_processor.journal_memory import MemoryJournal
from servers.stream_processor.readers import Readers
from servers.stream_processor.retention import kept_seconds
from servers.stream_processor.sequence import Mark, waits_after
from servers.stream_processor.streams import Streams

BLOCK_SECONDS = 0.1
"""Longest wait for news; a stream that begins to be followed is looked at after it."""
SILENT_SECONDS = 3.0
"""A stream to which nothing was added here for so long may be written by another process."""
PROBE_SECONDS = 0.5
SWEEP_SECONDS = 5.0

MEMORY = Gauge("kari_chat_stream_memory_bytes", "What the streams in memory take, about.")


class Upkeep:
    """Loops of the server. Each may be run again after an error."""

    def __init__(
        self,
        streams: Streams,
        readers: Readers,
        memory: MemoryJournal,
        durable: GuardedJournal,
        *,
        ttl: float,
    ) -> None:
        """`ttl` is how long, in seconds, a stream is kept that nobody else has."""
        self._streams = streams
        self._readers = readers
        self._memory = memory
        self._durable = durable
        self._ttl = ttl

    async def read_others(self) -> None:
        """Takes over, for ever, what other processes write to streams that are followed here."""
        while True:
            marks = self._of_others()
            if self._durable.away or not marks:
                await asyncio.sleep(BLOCK_SECONDS)
                continue
            try:
                for key, entries in (await self._durable.news(marks, BLOCK_SECONDS)).items():
                    if not self._streams.is_written(key):
                        await self._streams.learn(key, entries)
            except JournalAway:
                continue

    async def settle(self) -> None:
        """Finds an absent journal back, for ever, and writes down what is owed to it."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            try:
                if self._streams.owed and (not self._durable.away or await self._durable.probe()):
                    await self._streams.settle()
                elif self._durable.away:
                    await self._durable.probe()
            except JournalAway:
                continue

    async def sweep(self) -> None:
        """Forgets, for ever, what nobody follows and the journal has, or what is too old."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.forget_idle()

    def forget_idle(self) -> None:
        """Forgets what may be forgotten now; while memory is full everything nobody follows."""
        for key in self._memory.longest_idle():
            if self._may_go(key) or (self._memory.full and key not in self._readers.followed):
                self._streams.forget(key)
        MEMORY.set(self._memory.size)

    def _may_go(self, key: StreamKey) -> bool:
        if self._memory.idle_seconds(key) < self._kept_seconds(key):
            return False
        if key not in self._readers.followed and key not in self._streams.owed:
            return True
        # A turn that waits for its user is silent for as long as it is let.
        last = self._memory.last(key)
        return last is None or waits_after(last) <= time.time_ns()

    def _kept_seconds(self, key: StreamKey) -> float:
        mark = self._memory.mark(key)
        return kept_seconds(
            followed=key in self._readers.followed,
            owed=key in self._streams.owed,
            ended=mark is not None and mark.ended,
            ttl=self._ttl,
        )

    def _of_others(self) -> Mapping[StreamKey, Mark]:
        """The streams under way that are followed here and that others may write to."""
        found = ((key, self._memory.mark(key)) for key in self._readers.followed)
        return {
            key: mark
            for key, mark in found
            if mark is not None and not mark.ended and self._may_be_of_others(key)
        }

    def _may_be_of_others(self, key: StreamKey) -> bool:
        silent = self._memory.idle_seconds(key) >= SILENT_SECONDS
        return key in self._streams.shared or silent
