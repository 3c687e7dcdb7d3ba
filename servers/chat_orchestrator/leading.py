"""Leading one turn to its end, whatever happens on the way."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from kari.conversation_manager.v1.conversation_manager_pb2 import RecordSnapshotRequest
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.tool_pb2 import ToolStep
from kari.conversation_models.v1.turn_pb2 import Accepted, TurnEvent, TurnState
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import (
    FinishTurnRequest,
    FinishTurnResponse,
    Lease,
    LedTurn,
)
from kari.stream_processor.v1.stream_processor_pb2 import OpenResponse
from servers.chat_orchestrator import turn
from servers.chat_orchestrator.answer import Answer
from servers.chat_orchestrator.claim import NOT_OURS, Claim
from servers.chat_orchestrator.course import Course
from servers.chat_orchestrator.ending import final_event, finish_request
from servers.chat_orchestrator.peers import Peers, patiently
from servers.chat_orchestrator.prompt import snapshot
from servers.chat_orchestrator.publisher import Publisher
from servers.chat_orchestrator.stages import DEGRADED, LATENCY, TURNS, stage
from servers.chat_orchestrator.step import told_again
from servers.runtime.call import current
from servers.runtime.errors import Internal, KariError, TimedOut, Unavailable
from servers.runtime.labelled import labelled
from servers.runtime.names import short
from servers.runtime.settings import Settings

log = structlog.get_logger("kari.chat_orchestrator")


class Lead:
    """One turn and the claim to lead it."""

    def __init__(
        self,
        peers: Peers,
        settings: Settings,
        led: LedTurn,
        next_lease: Callable[[], Lease | None] = lambda: None,
    ) -> None:
        """`next_lease` gives the claim to the turn that comes after this one, if there is one."""
        self.led = led
        self.next_led: LedTurn | None = None
        self.looked_for_next = False
        """Whether it is known which turn comes next. It is not if the commit failed."""
        self.turn_id = led.turn.id
        self._next_lease = next_lease
        self._peers = peers
        self._settings = settings
        self._answer = Answer()
        self._publisher = Publisher(peers, led.turn.id)
        self._claim = Claim(peers, led, settings.turn_lease_seconds, self)
        self._course = Course(peers, settings, led, self._claim, self._answer, self._publisher.put)
        self._steps: Sequence[ToolStep] = ()
        self._told_anew = False
        self._refused = False
        self._work: asyncio.Task[bool] | None = None
        self._stopped: KariError | None = None
        self._cancelled = False
        self._lost = False
        self._began = time.monotonic()
        self.over = asyncio.Event()
        """Set when this leader tells no more."""

    @property
    def waits(self) -> bool:
        """True once the turn was left to its user: nobody leads it."""
        return self._claim.released

    async def open(self) -> OpenResponse:
        """Opens the stream and tells that the turn was accepted, unless it was told before."""
        accepted = Accepted(message=self.led.message, queued=not self.led.HasField("lease"))
        opened = await self._publisher.open(TurnEvent(accepted=accepted))
        self._answer.degradations.extend(opened.degradations)
        return opened

    async def reopen(self, steps: Sequence[ToolStep]) -> None:
        """As `open`, for a turn whose user has answered: its stream goes on, or begins again if its
        journal was lost meanwhile."""
        self._steps = steps
        self._publisher.precede(told_again(steps))
        opened = await self.open()
        self._told_anew = opened.next_index <= 2
        if self._told_anew:
            self._publisher.precede(())

    async def announce_only(self) -> None:
        """For a turn that waits for its place: its stream begins, its answer comes later."""
        await self.open()
        await self._publisher.close()

    def cancel(self) -> None:
        """The user called it off."""
        self._cancelled = True
        self._interrupt()

    def lose(self) -> None:
        """Another one leads by now: this one ends without a word."""
        self._lost = True
        self._interrupt()

    def stop(self) -> None:
        """The process has to end: the text so far is kept."""
        self._stopped = Unavailable(
            Reason.REASON_SHUTTING_DOWN, "the server is stopping; send the message again"
        )
        self._interrupt()

    async def run(self) -> None:
        """Leads the turn from assembling to its end. The stream has to be open."""
        log.info("turn led", after=[instruction.action for instruction in self.led.instructions])
        keeping = asyncio.create_task(self._claim.keep())
        try:
            state, error = await self._write()
            if not self._lost and state != turn.AWAITING_APPROVAL:
                await self._commit(state, error)
        finally:
            keeping.cancel()
            await self._publisher.close()
            self.over.set()
            if not self.waits:
                LATENCY.observe(time.monotonic() - self._began)

    async def fail(self, error: KariError, text: str) -> None:
        """Ends a turn that its leader left half-way: what it had written is kept."""
        if text:
            self._answer.resume(text)
        await self._commit(turn.FAILED, error)
        await self._publisher.close()

    async def _write(self) -> tuple[TurnState.ValueType, KariError | None]:
        """Writes the answer; gives the state in which the turn ends, and why if it failed, or that
        it waits for its user."""
        self._work = asyncio.create_task(self._produce())
        if self._cancelled or self._stopped or self._lost:
            self._interrupt()
        try:
            async with asyncio.timeout(self._settings.turn_deadline_seconds):
                ended = await self._work
        except asyncio.CancelledError:
            if self._cancelled:
                return turn.CANCELLED, None
            if self._stopped is None and not self._lost:
                raise
            return turn.FAILED, self._stopped
        except TimeoutError:
            return turn.FAILED, _too_long(self._settings.turn_deadline_seconds)
        except KariError as error:
            log.warning("turn failed", reason=Reason.Name(error.reason), error=error.message)
            return turn.FAILED, error
        except Exception as error:  # a defect must not leave the turn open
            log.error("turn failed", exc_info=error)
            return turn.FAILED, Internal()
        return (turn.COMPLETED if ended else turn.AWAITING_APPROVAL), None

    async def _produce(self) -> bool:
        """False if the turn waits for its user."""
        if self._course.state != turn.AWAITING_APPROVAL:
            return await self._course.run()
        return await self._course.resume(self._steps, anew=self._told_anew)

    async def _commit(self, state: TurnState.ValueType, error: KariError | None) -> None:
        """Ends the turn in storage, then tells. Storage that is away is waited for; what it refuses
        ends as failed, with the text so far or, should that be refused as well, without it."""
        turn.end(self._course.state, state)
        self._note_lost_stream()
        finished = await self._stored(state, error)
        if finished is None and self._refused:
            finished = await self._stored(turn.FAILED, Internal())
        if finished is None and self._refused:
            self._answer.resume("")
            finished = await self._stored(turn.FAILED, Internal())
        if finished is None:
            return
        labelled(TURNS, short(TurnState, finished.turn.state)).inc()
        for missing in self._answer.degradations:
            labelled(DEGRADED, short(Feature, missing.feature)).inc()
        self._publisher.put(
            TurnEvent(usage=finished.turn.usage), final_event(finished, self._answer)
        )
        await self._snapshot()

    async def _stored(
        self, state: TurnState.ValueType, error: KariError | None
    ) -> FinishTurnResponse | None:
        """The turn as it ended; None if it could not be stored, and `_refused` says whether that
        would be so again."""
        self._refused = False
        request = finish_request(
            self._answer,
            state,
            error.envelope(current().correlation_id) if error else None,
            began=self._began,
            now=time.monotonic(),
        )
        request.turn_id = self.turn_id
        request.lease.CopyFrom(self._claim.lease)
        next_lease = self._next_lease()
        if next_lease is not None:
            request.next_lease.CopyFrom(next_lease)
        try:
            with stage("commit"):
                finished = await patiently(
                    lambda: self._peers.memory.FinishTurn(request),
                    self._settings.turn_deadline_seconds,
                )
        except KariError as failure:
            self._claim.trouble(failure)
            log.error(
                "turn could not be committed", state=short(TurnState, state), error=failure.message
            )
            self._refused = not failure.may_retry and failure.reason not in NOT_OURS
            return None
        self._note_next(request, finished)
        return finished

    def _note_next(self, request: FinishTurnRequest, finished: FinishTurnResponse) -> None:
        self.looked_for_next = request.HasField("next_lease")
        if finished.HasField("next_led_turn"):
            self.next_led = finished.next_led_turn

    def _note_lost_stream(self) -> None:
        if self._publisher.lost:
            missing = Degradation(feature=Feature.FEATURE_RESUME, cause="stream_processor")
            self._answer.degrade(missing)

    async def _snapshot(self) -> None:
        request = RecordSnapshotRequest(
            conversation_id=self.led.turn.conversation_id,
            snapshot=snapshot(self.turn_id, self._course.bundle.manifest),
        )
        try:
            await patiently(lambda: self._peers.conversations.RecordSnapshot(request), 2.0)
        except KariError as error:
            log.warning("snapshot was not kept", error=error.message)

    def _interrupt(self) -> None:
        if self._work is not None and not self._work.done():
            self._work.cancel()


def _too_long(seconds: float) -> TimedOut:
    return TimedOut(
        Reason.REASON_DEADLINE, f"the turn took longer than {seconds:.0f} s", timeout=seconds
    )
