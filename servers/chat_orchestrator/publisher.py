"""Sending a turn's events to the stream processor: in order, once, in batches as large as what has
come together while the last batch was under way, or while this process has more to do than it can.
"""

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from kari.stream_processor.v1.stream_processor_pb2 import AppendRequest, OpenRequest, OpenResponse
from servers.chat_orchestrator.answer import merged
from servers.chat_orchestrator.peers import Peers, patiently
from servers.runtime.errors import KariError
from servers.runtime.steps import Steps

# A stream processor that restarts is back within this; a turn does not fail without its stream.
PATIENCE_SECONDS = 20.0

# Most providers' answers are gathered where they are read; half a period catches the others.
SHARE = 0.5

# The contract's largest batch.
LARGEST_BATCH = 1000

log = structlog.get_logger("kari.chat_orchestrator")


class Publisher:
    """The writing end of one turn's stream. Everything that was told is kept until the turn ends: a
    stream whose journal was lost on the way is told again."""

    def __init__(self, peers: Peers, turn_id: str) -> None:
        self._peers = peers
        self._turn_id = turn_id
        self._told: list[TurnEvent] = []
        self._preceding: list[TurnEvent] = []
        self._first_index = 1
        self._arrived = 0
        self._pending: list[TurnEvent] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.lost = False

    async def open(self, *first: TurnEvent) -> OpenResponse:
        """Opens the stream, which begins with the `first` events, or takes it over, which has them;
        events may be put from now on."""
        request = OpenRequest(stream_id=self._turn_id, first_events=first)
        try:
            opened = await patiently(lambda: self._peers.streams.Open(request), 2.0)
        except KariError as error:
            log.warning("stream could not be opened", error=error.message)
            opened = OpenResponse(position=StreamPosition(stream_id=self._turn_id), next_index=1)
        self._begin(first, opened.next_index - 1)
        self._task = asyncio.create_task(self._send())
        return opened

    def precede(self, events: Iterable[TurnEvent]) -> None:
        """Notes what an earlier leader told: it is told again should the journal be lost."""
        self._preceding = list(events)

    def put(self, *events: TurnEvent) -> None:
        """Queues events; they leave as soon as the batch before them has left."""
        self._pending.extend(events)
        self._wake.set()

    async def close(self) -> None:
        """Returns when everything that was put is journalled, or given up."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def _begin(self, first: Sequence[TurnEvent], has: int) -> None:
        """Takes up a stream that has so many events."""
        if has == len(first):
            self._told, self._arrived = list(first), has
        elif has:
            self._first_index = has + 1
            self._preceding = [*first, *self._preceding]
        else:
            self.put(*first)

    async def _send(self) -> None:
        steps = Steps(SHARE)
        while not (self._closing and not self._pending):
            await self._wake.wait()
            self._wake.clear()
            if not self._closing and self._pending and self._pending[-1].HasField("delta"):
                await steps.next()
            self._told += merged(self._pending)
            self._pending = []
            try:
                await self._append_all()
            except KariError as error:
                log.error("turn goes on without its stream", error=error.message)
                self.lost = True
                return

    async def _append_all(self) -> None:
        while self._arrived < len(self._told):
            batch = self._told[self._arrived : self._arrived + LARGEST_BATCH]
            request = AppendRequest(
                stream_id=self._turn_id,
                first_index=self._first_index + self._arrived,
                events=batch,
            )
            try:
                await self._append(request)
            except KariError as error:
                if error.reason != Reason.REASON_STREAM_GAP:
                    raise
                self._go_back_to(int(error.details["next_index"]))
            else:
                self._arrived += len(batch)

    async def _append(self, request: AppendRequest) -> None:
        await patiently(lambda: self._peers.streams.Append(request), PATIENCE_SECONDS)

    def _go_back_to(self, next_index: int) -> None:
        """The stream knows less than it did: its journal was lost. What this leader told is told
        again, and of what an earlier one told that which is known of it."""
        if next_index < self._first_index:
            self._told, self._preceding = [*self._preceding, *self._told], []
        self._first_index = min(self._first_index, next_index)
        self._arrived = max(0, next_index - self._first_index)
