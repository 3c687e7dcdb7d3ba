"""The durable journal behind a switch: when it does not answer, nobody waits for it again until it
does."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

import structlog
from prometheus_client import Counter

from servers.runtime.redis import AWAY
from servers.stream_processor.journal import Journal, StreamKey
from servers.stream_processor.sequence import Entry, Mark

FAILURES = Counter(
    "kari_chat_stream_journal_failures_total",
    "Times that the durable journal of streams stopped answering.",
)
SECONDS = 1.0
"""Longest wait for an answer: a stream is not worth holding a turn up."""

_PROBE = StreamKey("", "probe")

T = TypeVar("T")
log = structlog.get_logger("kari.stream_processor")


class JournalAway(Exception):
    """The durable journal does not answer."""


class GuardedJournal:
    """A journal whose methods raise JournalAway: after a second's silence, and from then on at
    once, until `probe` finds it back."""

    def __init__(self, journal: Journal, seconds: float = SECONDS) -> None:
        self._journal = journal
        self._seconds = seconds
        self.away = False

    async def append(
        self, key: StreamKey, after: Mark | None, entries: Sequence[Entry]
    ) -> Mark | None:
        """See Journal; how long to wait is the journal's part, which knows what leaves together."""
        self._require_present()
        return await self._given(self._journal.append(key, after, entries))

    async def read(self, key: StreamKey, after: Mark | None = None) -> list[Entry] | None:
        """See Journal."""
        self._require_present()
        return await self._answer(self._journal.read(key, after))

    async def news(
        self, marks: Mapping[StreamKey, Mark], seconds: float
    ) -> Mapping[StreamKey, Sequence[Entry]]:
        """See Journal; `seconds` has to be under a second."""
        self._require_present()
        return await self._answer(self._journal.news(marks, seconds))

    async def probe(self) -> bool:
        """Asks an absent journal whether it is back; true if it answers."""
        try:
            await self._answer(self._journal.read(_PROBE))
        except JournalAway:
            return False
        log.info("durable journal is back")
        return True

    def _require_present(self) -> None:
        if self.away:
            raise JournalAway

    async def _answer(self, asked: Awaitable[T]) -> T:
        return await self._given(self._bounded(asked))

    async def _bounded(self, asked: Awaitable[T]) -> T:
        async with asyncio.timeout(self._seconds):
            return await asked

    async def _given(self, asked: Awaitable[T]) -> T:
        try:
            answer = await asked
        except AWAY as error:
            self._note_absence(error)
            raise JournalAway from error
        self.away = False
        return answer

    def _note_absence(self, error: Exception) -> None:
        if not self.away:
            FAILURES.inc()
            log.warning("durable journal is away", error=type(error).__name__)
        self.away = True
