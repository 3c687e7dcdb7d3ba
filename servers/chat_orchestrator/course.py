"""A turn's way from its message to its answer, or to where it waits for its user."""

import asyncio
from collections.abc import Callable

import structlog

from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.conversation_models.v1.context_pb2 import ContextBundle, PromptMessage
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.model_pb2 import ModelSelection
from kari.conversation_models.v1.tool_pb2 import Tool
from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.production_memory.v1.production_memory_pb2 import LedTurn
from servers.chat_orchestrator import turn
from servers.chat_orchestrator.allowance import Allowance, orderly
from servers.chat_orchestrator.answer import Answer
from servers.chat_orchestrator.claim import Claim
from servers.chat_orchestrator.detection import calls_of, detected
from servers.chat_orchestrator.exchange import Room, messages_of
from servers.chat_orchestrator.offer import Offer, offer
from servers.chat_orchestrator.peers import Peers, patiently
from servers.chat_orchestrator.rounds import Rounds
from servers.chat_orchestrator.stages import stage
from servers.chat_orchestrator.tooling import list_tools
from servers.chat_orchestrator.writing import PATIENCE_SECONDS, Writing
from servers.runtime.errors import KariError
from servers.runtime.settings import Settings

ANSWER_SHARE = 0.2
"""Part of a turn's time that is left for the answer when tools take all they can."""
LIST_SECONDS = 1.0
"""Longest wait for the list of tools beyond what is waited for anyway."""

log = structlog.get_logger("kari.chat_orchestrator")


class Course:
    """Writes the answer of one turn. `state` and `bundle` say how far it has come."""

    def __init__(
        self,
        peers: Peers,
        settings: Settings,
        led: LedTurn,
        claim: Claim,
        answer: Answer,
        tell: Callable[..., None],
    ) -> None:
        self.state: TurnState.ValueType = led.turn.state
        self.bundle = ContextBundle()
        self._peers = peers
        self._settings = settings
        self._led = led
        self._claim = claim
        self._answer = answer
        self._writing = Writing(peers, settings.context_tokens, answer, tell)
        self._rounds = Rounds(
            peers,
            led.turn,
            claim,
            Allowance(settings.tool_rounds, settings.tool_calls),
            tell,
            until=asyncio.get_running_loop().time()
            + settings.turn_deadline_seconds * (1 - ANSWER_SHARE),
            approval_seconds=settings.approval_seconds,
        )

    async def run(self) -> bool:
        """Goes from assembling to the end of the answer; false if the turn waits for its user."""
        listing = asyncio.create_task(list_tools(self._peers))
        try:
            return await self._run(listing)
        finally:
            listing.cancel()

    async def _run(self, listing: "asyncio.Task[list[Tool]]") -> bool:
        conversation = await self._conversation()
        content = self._led.message.content
        selection = await self._writing.select(conversation, self._led.model, content)
        offered = await self._offered(listing, selection)
        taken = offered.tokens if selection.model.calls_tools else self._reserve(offered, selection)
        self.bundle = await self._writing.context(
            conversation, self._led.message, selection, taken
        )
        self._writing.announce(self._led.turn.id, self.bundle, selection)
        # Beside the stream, not before it: the first word does not wait for the disk.
        recording = asyncio.create_task(self._claim.advance(selection, self.bundle.manifest))
        try:
            return await self._rounds_of(selection, recording)
        finally:
            await _settled(recording)

    async def _rounds_of(self, selection: ModelSelection, recording: "asyncio.Task[None]") -> bool:
        if not selection.model.calls_tools:
            wishes = detected(self._led.message.content, self._rounds.offer.ids)
            if wishes:
                await _settled(recording)
                self.state = turn.advance(self.state, turn.RUNNING_TOOL)
                log.info("tools detected", rules=[f"{w.rule}: {w.tool_id}" for w in wishes])
                if not await self._rounds.call(calls_of(wishes), ""):
                    return self._awaits()
        return await self._generate(selection, recording)

    async def _generate(self, selection: ModelSelection, recording: "asyncio.Task[None]") -> bool:
        """The rounds of a model, until it asks for no more tools, or may not."""
        while True:
            self.state = turn.advance(self.state, turn.GENERATING)
            tools = self._tools(selection)
            with stage("generate"):
                await self._writing.generate(await self._messages(selection), selection, tools)
            calls = list(orderly(self._answer.calls, self._rounds.allowance.ids))
            if not calls or not tools:
                self._note_unasked(len(calls))
                return True
            await _settled(recording)
            self.state = turn.advance(self.state, turn.RUNNING_TOOL)
            if not await self._rounds.call(calls, self._answer.round_text):
                return self._awaits()

    def _tools(self, selection: ModelSelection) -> tuple[Tool, ...]:
        """What the model is told of in the next round; nothing in the last."""
        if not selection.model.calls_tools or not self._rounds.offer.tools:
            return ()
        spent = self._rounds.allowance.spent or ("turn_deadline" if self._rounds.late else "")
        if spent:
            log.warning("no more tools in this turn", limit=spent)
            self._writing.miss(Feature.FEATURE_TOOLS, spent)
            return ()
        return self._rounds.offer.tools

    def _note_unasked(self, calls: int) -> None:
        if calls:
            log.warning("model asks for tools that it was not told of", calls=calls)

    def _awaits(self) -> bool:
        self.state = turn.advance(self.state, turn.AWAITING_APPROVAL)
        return False

    async def _messages(self, selection: ModelSelection) -> list[PromptMessage]:
        """The prompt and what was said with tools since. Long results take their time to count."""
        steps, prompt = list(self._rounds.steps), list(self.bundle.messages)
        if not steps:
            return prompt
        tokens = self.bundle.manifest.tokens + self._rounds.offer.tokens
        room = Room.beside(selection.model, tokens, self._settings.tool_result_share)
        by_rule = not selection.model.calls_tools
        return prompt + await asyncio.to_thread(messages_of, steps, room, detected=by_rule)

    async def _offered(
        self, listing: "asyncio.Task[list[Tool]]", selection: ModelSelection
    ) -> Offer:
        """The tools of this turn. A model that calls none is only waited for if a rule would."""
        model = selection.model
        if not model.calls_tools and not detected(self._led.message.content):
            return Offer()
        try:
            async with asyncio.timeout(LIST_SECONDS):
                tools = await listing
        except (KariError, TimeoutError) as error:
            log.warning("turn goes on without tools", error=str(error))
            self._writing.miss(Feature.FEATURE_TOOLS, "tool_integration")
            return Offer()
        if model.calls_tools:
            budget = self._writing.budget(selection)
            found = await asyncio.to_thread(offer, tools, budget, model.tokenizer)
        else:
            found = Offer(tuple(tools))
        log.info("tools offered", tools=found.ids, left_out=found.left_out)
        self._rounds.offer = found
        return found

    def _reserve(self, offered: Offer, selection: ModelSelection) -> int:
        """Tokens that the results of detected calls will take, at most half of the prompt."""
        wishes = detected(self._led.message.content, offered.ids)
        share = int(selection.model.context_window * self._settings.tool_result_share)
        return min(len(wishes) * share, self._writing.budget(selection) // 2)

    async def _conversation(self) -> Conversation:
        request = GetConversationRequest(conversation_id=self._led.turn.conversation_id)
        response = await patiently(
            lambda: self._peers.conversations.GetConversation(request), PATIENCE_SECONDS
        )
        return response.conversation


async def _settled(task: "asyncio.Task[None]") -> None:
    """Waits for a task even while being cancelled: its write is under way."""
    await asyncio.shield(asyncio.wait({task}))
