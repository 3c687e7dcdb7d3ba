"""Sending a turn's events to the stream processor: in order, once, in batches as large as what has
come together while the last batch was under way."""

import asyncio

import structlog

from kari.conversation_models.v1.turn_pb2 import StreamPosition, TurnEvent
from kari.stream_processor.v1.stream_processor_pb2 import AppendRequest, OpenRequest, OpenResponse
from servers.chat_orchestrator.answer import merged
from servers.chat_orchestrator.peers import Peers, patiently
from servers.runtime.errors import KariError

# A stream processor that restarts is back within this; a turn does not fail without its stream.
PATIENCE_SECONDS = 20.0

log = structlog.get_logger("kari.chat_orchestrator")


class Publisher:
    """The writing end of one turn's stream."""

    def __init__(self, peers: Peers, turn_id: str) -> None:
        self._peers = peers
        self._turn_id = turn_id
        self._next_index = 1
        self._pending: list[TurnEvent] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> OpenResponse:
        """Opens the stream, or takes it over; events may be put from now on."""
        try:
            opened = await patiently(
                lambda: self._peers.streams.Open(OpenRequest(stream_id=self._turn_id)), 2.0
            )
        except KariError as error:
            log.warning("turn goes on without its stream", error=error.message)
            opened = OpenResponse(position=StreamPosition(stream_id=self._turn_id), next_index=1)
        self._next_index = opened.next_index
        self._task = asyncio.create_task(self._send())
        return opened

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

    async def _send(self) -> None:
        while not (self._closing and not self._pending):
            await self._wake.wait()
            self._wake.clear()
            batch, self._pending = merged(self._pending), []
            if batch and not await self._append(batch):
                return

    async def _append(self, batch: list[TurnEvent]) -> bool:
        request = AppendRequest(stream_id=self._turn_id, first_index=self._next_index, events=batch)
        self._next_index += len(batch)
        try:
            await patiently(lambda: self._peers.streams.Append(request), PATIENCE_SECONDS)
        except KariError as error:
            log.error("turn goes on without its stream", error=error.message)
            return False
        return True
