"""The rounds of a turn: tools are called, their results recorded, its user asked where need be."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall, ToolProgress, ToolResult, ToolStep
from kari.conversation_models.v1.turn_pb2 import Turn, TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from servers.chat_orchestrator import step as steps_of_turn
from servers.chat_orchestrator.allowance import Allowance
from servers.chat_orchestrator.answer import Answer
from servers.chat_orchestrator.claim import Claim
from servers.chat_orchestrator.offer import Offer
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.recording import report_refused, report_unmade
from servers.chat_orchestrator.stages import awaited, stage
from servers.chat_orchestrator.step import ASKED, AWAITING, ENDED, RUNNING, asks, refused
from servers.chat_orchestrator.tooling import Unheard, call_tool, request_of
from servers.runtime.call import current

MARGIN_SECONDS = 1.0
"""Of the time for a tool: its server ends it, and the word of how still has to arrive."""

log = structlog.get_logger("kari.chat_orchestrator")


@dataclass
class Rounds:
    """The calls of one turn, in order, and how they are made. `tell` takes the events; tools may
    run until a time of the event loop."""

    peers: Peers
    turn: Turn
    claim: Claim
    answer: Answer
    allowance: Allowance
    tell: Callable[..., None]
    until: float
    approval_seconds: float
    offer: Offer = field(default_factory=Offer)
    steps: list[ToolStep] = field(default_factory=list)

    @property
    def late(self) -> bool:
        """True once tools have had as much of the turn's time as they may."""
        return asyncio.get_running_loop().time() >= self.until

    async def call(self, calls: Sequence[ToolCall], text_before: str) -> bool:
        """Makes the calls of one round, those that need nobody's leave at once; all of them are in
        `steps` then. False if the turn has to wait for its user's answers, and is nobody's."""
        self.allowance.begin_round()
        steps = [self._admitted(call) for call in calls]
        steps[0].text_before = text_before
        self.steps += steps
        with stage("tools"):
            await self.claim.record(steps, self.answer.usage)
            for step in steps:
                if step.state == ENDED:
                    self._tell_refused(step)
            return await self._run([step for step in steps if step.state == RUNNING])

    async def go_on(self) -> bool:
        """Goes on after the answers of the user: what was allowed is called, what was not has a
        result that says so. False as above."""
        asked = [step for step in self.steps if step.state in ASKED]
        awaited(max(map(self._waited, asked), default=0.0))
        answers = [steps_of_turn.decide(step, current().correlation_id) for step in asked]
        with stage("tools"):
            await self.claim.record(asked, self.answer.usage)
            for step, answer in zip(asked, answers, strict=True):
                log.info("approval answered", tool=step.call.tool_id, approved=answer.approved)
                self.tell(TurnEvent(approval_answered=answer))
                if step.state == ENDED:
                    report_refused(self.peers.trail, self.turn, step)
                    self.tell(TurnEvent(tool_finished=step.result))
            approved = [step for step in asked if step.state == RUNNING]
            return await self._run(approved, approved=True)

    def _admitted(self, call: ToolCall) -> ToolStep:
        step = ToolStep(call=call, round=self.allowance.round, state=RUNNING)
        error = steps_of_turn.no_time() if self.late else self.allowance.admit(call)
        if error is not None:
            log.info("tool not called", tool=call.tool_id, limit=error.details["limit"])
            steps_of_turn.end(step, refused(call, error, current().correlation_id))
        return step

    async def _run(self, steps: Sequence[ToolStep], *, approved: bool = False) -> bool:
        """Runs recorded steps concurrently and records what came of them."""
        if not steps:
            return True
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._one(step, approved=approved)) for step in steps]
        for step in steps_of_turn.unaskable([step for step in steps if step.state == AWAITING]):
            error = steps_of_turn.too_much_asked()
            step.ClearField("answer_by")
            steps_of_turn.end(step, refused(step.call, error, current().correlation_id))
            self._tell_refused(step)
        asking = [(step, task.result()) for step, task in zip(steps, running, strict=True)]
        questions = [(step, tool) for step, tool in asking if step.state == AWAITING]
        # What is asked comes last: with it the turn is left to its user.
        settled = sorted(steps, key=lambda step: step.state == AWAITING)
        await self.claim.record(settled, self.answer.usage, await_answers=bool(questions))
        for step, _ in questions:
            log.info("approval requested", tool=step.call.tool_id)
        # At once, so that whoever sees one of them can count on all of them.
        self.tell(*(steps_of_turn.requested_event(*question) for question in questions))
        return not questions

    async def _one(self, step: ToolStep, *, approved: bool) -> Tool | None:
        """Takes a step as far as it goes; the tool if its user has to be asked."""
        begun = _Once(lambda: self._tell_started(step))
        tool = self.offer.tool(step.call.tool_id)
        if approved or (tool is not None and not asks(tool)):
            begun()
        came = await self._came_of(step, begun, approved=approved)
        if isinstance(came, Tool) and not approved:
            steps_of_turn.ask(step, time.time() + self.approval_seconds)
            return came
        if isinstance(came, Tool):
            came = refused(step.call, steps_of_turn.asks_again(), current().correlation_id)
        steps_of_turn.end(step, came)
        self.tell(TurnEvent(tool_finished=came))
        return None

    async def _came_of(
        self, step: ToolStep, begun: Callable[[], None], *, approved: bool
    ) -> ToolResult | Tool:
        allowed = self.offer.ids
        if approved:
            # It was on the list when its user was asked; that its server left meanwhile is for the
            # registry to say.
            allowed = [*allowed, step.call.tool_id]
        request = request_of(
            step.call,
            conversation_id=self.turn.conversation_id,
            turn_id=self.turn.id,
            allowed=allowed,
            approved=approved,
        )
        left = self.until - asyncio.get_running_loop().time()
        seconds = max(left - MARGIN_SECONDS, left / 2, 0.0)
        try:
            async with asyncio.timeout_at(self.until):
                came = await call_tool(self.peers, request, begun, self._tell_progress, seconds)
        except TimeoutError:
            begun()
            came = Unheard(steps_of_turn.no_time())
        if not isinstance(came, Unheard):
            return came
        report_unmade(self.peers.trail, self.turn, step.call, came.error.reason, ran=True)
        return refused(step.call, came.error, current().correlation_id)

    def _waited(self, step: ToolStep) -> float:
        """For how long its user was asked, in seconds."""
        return time.time() - (step.answer_by.ToNanoseconds() / 1e9 - self.approval_seconds)

    def _tell_refused(self, step: ToolStep) -> None:
        """A step of ours ended without its call."""
        report_refused(self.peers.trail, self.turn, step)
        self._tell_started(step)
        self.tell(TurnEvent(tool_finished=step.result))

    def refuse(self, calls: Sequence[ToolCall], limit: str) -> None:
        """Notes calls of a model that was told of no tools, for that limit if it was for one."""
        reason = Reason.REASON_TOOL_LIMIT if limit else Reason.REASON_TOOL_NOT_ALLOWED
        log.warning("model asks for tools that it was not told of", calls=len(calls))
        for call in calls:
            report_unmade(self.peers.trail, self.turn, call, reason)

    def _tell_started(self, step: ToolStep) -> None:
        tool = self.offer.tool(step.call.tool_id)
        self.tell(steps_of_turn.started_event(step, tool))

    def _tell_progress(self, progress: ToolProgress) -> None:
        self.tell(TurnEvent(tool_progress=progress))


class _Once:
    """Does something the first time it is called."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self._done = False

    def __call__(self) -> None:
        if not self._done:
            self._done = True
            self._do()
