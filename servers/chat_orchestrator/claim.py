"""The claim to lead a turn: kept by being renewed, and what is recorded under it."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Protocol

import structlog

from kari.conversation_models.v1.context_pb2 import ContextManifest
from kari.conversation_models.v1.model_pb2 import ModelSelection, Usage
from kari.conversation_models.v1.tool_pb2 import ToolStep
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import (
    AdvanceTurnRequest,
    Lease,
    LedTurn,
    RecordToolStepsRequest,
    RenewLeaseRequest,
)
from servers.chat_orchestrator.peers import Peers, patiently
from servers.runtime.durations import duration
from servers.runtime.errors import Conflict, KariError

PATIENCE_SECONDS = 5.0
LARGEST_RECORD = 1_500_000
"""Bytes of steps in one message; the mesh takes 4 MiB."""
MOST_STEPS = 100

NOT_OURS = (Reason.REASON_LEASE_LOST, Reason.REASON_TURN_ENDED)

log = structlog.get_logger("kari.chat_orchestrator")


class Led(Protocol):
    """Who leads the turn, as far as a claim is concerned."""

    def cancel(self) -> None:
        """The user called it off."""

    def lose(self) -> None:
        """Another one leads by now."""


class Claim:
    """A lease. Tells its leader when the turn was called off elsewhere, or is led by another."""

    def __init__(self, peers: Peers, led: LedTurn, lease_seconds: float, leader: Led) -> None:
        self.lease = Lease(
            owner=led.lease.owner, duration=duration(lease_seconds), number=led.lease.number
        )
        self.released = False
        """True once the turn waits for its user: then it is nobody's."""
        self._turn_id = led.turn.id
        self._pause = lease_seconds / 3
        self._peers = peers
        self._leader = leader

    async def keep(self) -> None:
        """Says that the leader lives, three times a lease; hears of cancels made elsewhere."""
        request = RenewLeaseRequest(turn_id=self._turn_id, lease=self.lease)
        while True:
            await asyncio.sleep(self._pause)
            try:
                renewed = await patiently(
                    lambda: self._peers.memory.RenewLease(request), self._pause
                )
            except KariError as error:
                self.trouble(error)
                continue
            if renewed.cancel_requested:
                self._leader.cancel()

    async def advance(self, selection: ModelSelection, manifest: ContextManifest) -> None:
        """Keeps the choice and the manifest."""
        request = AdvanceTurnRequest(
            turn_id=self._turn_id, lease=self.lease, selection=selection, manifest=manifest
        )
        try:
            response = await patiently(
                lambda: self._peers.memory.AdvanceTurn(request), PATIENCE_SECONDS
            )
        except KariError as error:
            self.trouble(error)
        else:
            if response.cancel_requested:
                self._leader.cancel()

    async def record(
        self, steps: Sequence[ToolStep], usage: Usage, *, await_answers: bool = False
    ) -> None:
        """Keeps how calls of tools stand, and the tokens so far; with `await_answers` the turn is
        nobody's afterwards. KariError if it cannot be kept: nothing may run that is not."""
        parts = list(_parts(steps))
        for number, part in enumerate(parts, 1):
            request = RecordToolStepsRequest(
                turn_id=self._turn_id,
                lease=self.lease,
                steps=part,
                await_answers=await_answers and number == len(parts),
                usage=usage,
            )
            await self._record(request)

    async def _record(self, request: RecordToolStepsRequest) -> None:
        try:
            response = await patiently(
                lambda: self._peers.memory.RecordToolSteps(request), PATIENCE_SECONDS
            )
        except KariError as error:
            self.trouble(error)
            raise
        if response.cancel_requested:
            self._leader.cancel()
            # Cancelling oneself takes hold at the next wait.
            await asyncio.sleep(0)
        elif request.await_answers:
            self.released = True

    def trouble(self, error: KariError) -> None:
        """A lost lease ends this leader's work without a word: another one leads by now."""
        if self.released:
            return
        if isinstance(error, Conflict) and error.reason in NOT_OURS:
            log.warning("turn is led by another orchestrator by now")
            self._leader.lose()
        else:
            log.warning("could not record the turn's progress", error=error.message)


def _parts(steps: Sequence[ToolStep]) -> Iterator[list[ToolStep]]:
    part, size = list[ToolStep](), 0
    for step in steps:
        bytes_ = step.ByteSize()
        if part and (size + bytes_ > LARGEST_RECORD or len(part) == MOST_STEPS):
            yield part
            part, size = [], 0
        part.append(step)
        size += bytes_
    if part:
        yield part
