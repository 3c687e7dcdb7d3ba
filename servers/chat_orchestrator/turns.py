"""The turns that this process leads: begun, claimed, called off, seen to their end."""

import asyncio
import os
import secrets
import socket
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import (
    AnswerApprovalRequest,
    AnswerApprovalResponse,
    StartTurnRequest,
)
from kari.conversation_models.v1.tool_pb2 import ToolStep
from kari.conversation_models.v1.turn_pb2 import StreamPosition, Turn
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1 import production_memory_pb2
from kari.production_memory.v1.production_memory_pb2 import (
    ClaimAbandonedTurnsRequest,
    ClaimTurnRequest,
    Lease,
    LedTurn,
    ListToolStepsRequest,
    RequestCancelRequest,
)
from servers.chat_orchestrator import turn
from servers.chat_orchestrator.beginning import begin_request, call_of
from servers.chat_orchestrator.calling_off import tell_cancelled
from servers.chat_orchestrator.exchange import text_of
from servers.chat_orchestrator.leading import Lead
from servers.chat_orchestrator.peers import Peers, patiently
from servers.runtime.call import Call, acting, current
from servers.runtime.durations import duration
from servers.runtime.errors import Conflict, KariError, Unavailable
from servers.runtime.mesh_key import MeshKey
from servers.runtime.settings import Settings

# What is left of the time to drain is for committing what was written.
COMMIT_SECONDS = 2.0

# A turn that has outlived so many leaders is likely what ended them.
MOST_LEADERS = 3

T = TypeVar("T")

log = structlog.get_logger("kari.chat_orchestrator")


class Turns:
    """All turns of this process."""

    def __init__(self, peers: Peers, settings: Settings, mesh_key: MeshKey) -> None:
        self._peers = peers
        self._settings = settings
        self._mesh_key = mesh_key
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._leads: dict[str, Lead] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._draining = False
        self._stopping = False

    async def begin(self, request: StartTurnRequest) -> tuple[Turn, StreamPosition]:
        """Commits a message and starts its turn, or queues it. A caller that goes away between the
        two takes nothing with it: a committed message is led."""
        return await asyncio.shield(self._keep(self._begin(request)))

    async def _begin(self, request: StartTurnRequest) -> tuple[Turn, StreamPosition]:
        self._require_open()
        begun = await self._peers.memory.BeginTurn(begin_request(request, self._lease()))
        led = begun.led_turn
        log.info("turn accepted", turn_id=led.turn.id, repeated=begun.repeated_request)
        for interrupted in begun.interrupted_turn_ids:
            if not self._cancel_here(interrupted):
                self._keep(tell_cancelled(self._peers, interrupted))
        # A repeated request brings the lease again where the first answer was lost on its way.
        if not begun.repeated_request or (led.HasField("lease") and led.turn.id not in self._leads):
            await self._start(led)
        return led.turn, StreamPosition(stream_id=led.turn.id)

    async def cancel(self, turn_id: str) -> Turn:
        """Calls a turn off, wherever it runs."""
        response = await self._peers.memory.RequestCancel(RequestCancelRequest(turn_id=turn_id))
        if not self._cancel_here(turn_id) and response.turn.state == turn.CANCELLED:
            await tell_cancelled(self._peers, turn_id)
            # The turns behind one that waited for its user need not wait for the sweep.
            self._keep(self._look_for_next(response.turn.conversation_id))
        return response.turn

    async def answer(self, request: AnswerApprovalRequest) -> AnswerApprovalResponse:
        """Keeps whether a tool may run. With the last answer the turn goes on, and does so without
        its caller."""
        return await asyncio.shield(self._keep(self._answer(request)))

    async def _answer(self, request: AnswerApprovalRequest) -> AnswerApprovalResponse:
        self._require_open()
        answered = await self._peers.memory.AnswerApproval(
            production_memory_pb2.AnswerApprovalRequest(
                turn_id=request.turn_id,
                call_id=request.call_id,
                approved=request.approved,
                lease=self._lease(),
            )
        )
        log.info(
            "approval answered",
            turn_id=request.turn_id,
            call_id=request.call_id,
            approved=request.approved,
            last=answered.HasField("led_turn"),
        )
        if answered.HasField("led_turn"):
            self._keep(self._start(answered.led_turn))
        held = answered.approved if answered.HasField("approved") else None
        return AnswerApprovalResponse(turn=answered.turn, approved=held)

    async def sweep(self) -> None:
        """Looks for turns whose leader died, for ever; the first look comes at once."""
        while not self._draining:
            await self._claim_abandoned()
            await asyncio.sleep(self._settings.turn_lease_seconds / 3)

    async def drain(self) -> None:
        """Starts no more turns and sees those under way to their end, those included whose message
        is just being committed. Those that would take longer than there is time end as failed, with
        their text kept."""
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._settings.drain_seconds - COMMIT_SECONDS)):
                await self._idle()
        self._stopping = True
        for lead in list(self._leads.values()):
            lead.stop()
        await self._idle()

    def _require_open(self) -> None:
        if self._draining:
            raise Unavailable(
                Reason.REASON_SHUTTING_DOWN, "the server is stopping; try again", retry_after=1.0
            )

    async def _idle(self) -> None:
        """Returns when nothing is under way, of what was begun meanwhile either."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _lease(self) -> Lease:
        return Lease(owner=self._owner, duration=duration(self._settings.turn_lease_seconds))

    async def _start(self, led: LedTurn) -> None:
        """Opens the stream before the caller is answered, so that a reader finds it."""
        with acting(call_of(led, self._mesh_key)):
            lead = self._lead(led)
            if not led.HasField("lease"):
                await lead.announce_only()
                return
            if self._leads_already(led):
                return
            earlier = self._reserve(lead)
            if led.turn.state == turn.AWAITING_APPROVAL:
                self._keep(self._go_on(lead, earlier))
            else:
                await lead.open()
                self._keep(self._to_the_end(lead))

    def _lead(self, led: LedTurn) -> Lead:
        return Lead(
            self._peers,
            self._settings,
            led,
            next_lease=lambda: None if self._draining else self._lease(),
        )

    def _leads_already(self, led: LedTurn) -> bool:
        """Whether the turn is led here by the very same claim, which the end of the turn before it
        and a repeated request may both bring."""
        lead = self._leads.get(led.turn.id)
        return lead is not None and lead.led.lease.number == led.lease.number

    def _reserve(self, lead: Lead) -> Lead | None:
        """Before anything is awaited, so that a request that is repeated meanwhile starts no second
        lead. One of ours that lost its lease to this one ends without a word; it is given."""
        earlier = self._leads.get(lead.turn_id)
        if earlier is not None and not earlier.waits:
            earlier.lose()
        self._leads[lead.turn_id] = lead
        if self._stopping:
            lead.stop()
        return earlier

    def _release(self, lead: Lead) -> None:
        if self._leads.get(lead.turn_id) is lead:
            del self._leads[lead.turn_id]

    def _keep(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Does something in the background that drain waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _go_on(self, lead: Lead, earlier: Lead | None) -> None:
        """Leads a turn whose user has answered, or has not in time. An answer may come while who
        asked is still telling so."""
        try:
            if earlier is not None:
                await earlier.over.wait()
            steps = await self._steps(lead)
            if lead.led.lease.number > MOST_LEADERS + len(
                [s for s in steps if s.HasField("answer_by")]
            ):
                await self._give_up(lead)
                return
            await lead.reopen(steps)
        except Exception as error:  # the lease runs out and the turn is swept
            log.error("turn could not go on", exc_info=error)
            self._release(lead)
            return
        await self._to_the_end(lead)

    async def _to_the_end(self, lead: Lead) -> None:
        try:
            await lead.run()
        except Exception as error:  # the lease runs out and the turn is swept
            log.error("turn was dropped", exc_info=error)
        finally:
            self._release(lead)
        if not lead.waits:
            await self._lead_next(lead)

    async def _lead_next(self, ended: Lead) -> None:
        """The next turn of the conversation, if one waits. One that is missed here is swept."""
        if ended.next_led is not None:
            await self._start(ended.next_led)
        elif not ended.looked_for_next and not self._draining:
            await self._look_for_next(ended.led.turn.conversation_id)

    async def _look_for_next(self, conversation_id: str) -> None:
        request = ClaimTurnRequest(conversation_id=conversation_id, lease=self._lease())
        try:
            claimed = await patiently(lambda: self._peers.memory.ClaimTurn(request), 5.0)
        except KariError as error:
            log.warning("could not look for the next turn", error=error.message)
            return
        if claimed.HasField("led_turn"):
            await self._start(claimed.led_turn)

    async def _claim_abandoned(self) -> None:
        request = ClaimAbandonedTurnsRequest(lease=self._lease())
        with acting(Call(current().correlation_id)):
            claimed = await self._peers.memory.ClaimAbandonedTurns(request)
        for led in claimed.led_turns:
            log.warning("turn taken over", turn_id=led.turn.id)
            self._keep(self._take_over(led))

    async def _take_over(self, led: LedTurn) -> None:
        """One without a word is written anew, unless it has brought several leaders down already;
        one with text ends with what there is."""
        silent = led.turn.state in (turn.ACCEPTED, turn.ASSEMBLING)
        if silent and led.lease.number <= MOST_LEADERS:
            led.turn.state = turn.ASSEMBLING
            await self._start(led)
        elif led.turn.state == turn.AWAITING_APPROVAL:
            await self._start(led)
        else:
            with acting(call_of(led, self._mesh_key)):
                lead = self._lead(led)
                self._reserve(lead)
                await self._give_up(lead)

    async def _give_up(self, lead: Lead) -> None:
        """Ends a turn with what its leaders have written."""
        try:
            opened = await lead.open()
            await lead.fail(_abandoned(), opened.text or text_of(await self._steps(lead)))
        finally:
            self._release(lead)
        await self._lead_next(lead)

    async def _steps(self, lead: Lead) -> Sequence[ToolStep]:
        request = ListToolStepsRequest(turn_id=lead.turn_id)
        listed = await patiently(lambda: self._peers.memory.ListToolSteps(request), 5.0)
        return listed.steps

    def _cancel_here(self, turn_id: str) -> bool:
        """True if the turn is led here: then its leader tells its end."""
        lead = self._leads.get(turn_id)
        if lead is None or lead.waits:
            return False
        lead.cancel()
        return True


def _abandoned() -> Conflict:
    return Conflict(
        Reason.REASON_TURN_ABANDONED,
        "the server that wrote this answer died; the text so far is kept",
        retryable=True,
    )
