"""A turn's way from its message to its answer, or to where it waits for its user."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog

from kari.conversation_manager.v1.conversation_manager_pb2 import GetConversationRequest
from kari.conversation_models.v1.context_pb2 import ContextBundle, PromptImage, PromptMessage
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.model_pb2 import ModelSelection, Usage
from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall, ToolStep
from kari.conversation_models.v1.turn_pb2 import TurnState
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1.production_memory_pb2 import LedTurn
from servers.chat_orchestrator import turn
from servers.chat_orchestrator.allowance import Allowance, orderly
from servers.chat_orchestrator.answer import Answer, total
from servers.chat_orchestrator.claim import Claim
from servers.chat_orchestrator.detection import calls_of, detected
from servers.chat_orchestrator.exchange import Room, messages_of, text_of
from servers.chat_orchestrator.images import IMAGE_TOKENS, images_of, with_images
from servers.chat_orchestrator.offer import Offer, offer, room_for_tools
from servers.chat_orchestrator.peers import Peers, patiently
from servers.chat_orchestrator.prompt import minimal
from servers.chat_orchestrator.replaying import Replaying
from servers.chat_orchestrator.rounds import Rounds
from servers.chat_orchestrator.stages import stage
from servers.chat_orchestrator.step import told_again
from servers.chat_orchestrator.tooling import list_tools
from servers.chat_orchestrator.writing import PATIENCE_SECONDS, Writing
from servers.runtime.call import principal
from servers.runtime.errors import KariError, Unavailable
from servers.runtime.settings import Settings

ANSWER_SHARE = 0.2
"""Part of a turn's time that is left for the answer when tools take all they can."""
LIST_SECONDS = 1.0
"""Longest wait for the list of tools beyond what is waited for anyway."""

T = TypeVar("T")

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
        self._images: list[PromptImage] = []
        self._peers = peers
        self._settings = settings
        self._led = led
        self._claim = claim
        self._answer = answer
        self._tell = tell
        self._writing = Writing(peers, settings.context_tokens, answer, tell)
        self._rounds = Rounds(
            peers,
            led.turn,
            claim,
            answer,
            Allowance(settings.tool_rounds, settings.tool_calls),
            tell,
            until=asyncio.get_running_loop().time()
            + settings.turn_deadline_seconds * (1 - ANSWER_SHARE),
            approval_seconds=settings.approval_seconds,
        )

    async def run(self) -> bool:
        """Goes from assembling to the end of the answer; false if the turn waits for its user."""
        async with _beside(list_tools(self._peers)) as listing:
            conversation = await self._conversation()
            content = self._led.message.content
            selection = await self._writing.select(conversation, self._led.model, content)
            await self._look(selection)
            await self._offer(listing, selection)
            self.bundle = await self._writing.context(
                conversation, self._led.message, selection, self._taken(selection)
            )
        self._writing.announce(self._led.turn.id, self.bundle, selection)
        # Beside the stream, not before it: the first word does not wait for the disk.
        recording = asyncio.create_task(self._claim.advance(selection, self.bundle.manifest))
        try:
            return await self._detect(selection, recording) and await self._generate(
                selection, recording
            )
        finally:
            await settled(recording)

    async def resume(self, steps: Sequence[ToolStep], *, anew: bool) -> bool:
        """Goes on with a turn whose user has answered, or has not in time; false as above. `anew`
        says that its stream was lost meanwhile: then it is told again."""
        async with _beside(list_tools(self._peers)) as listing:
            conversation = await self._conversation()
            selection = await self._selection(conversation)
            self.bundle = await self._prompt_again(conversation)
            await self._look(selection)
            await self._offer(listing, selection, needed=True)
        self._rounds.steps = list(steps)
        self._rounds.allowance.note(steps)
        self._answer.resume(text_of(steps))
        self._answer.usage = total(self._led.turn.usage, Usage())
        if anew:
            self._writing.announce(self._led.turn.id, self.bundle, selection)
            self._tell(*told_again(steps, self._rounds.offer.tool))
        self.state = turn.advance(self.state, turn.RUNNING_TOOL)
        if not await self._rounds.go_on():
            return self._awaits()
        return await self._generate(selection, None)

    async def _detect(self, selection: ModelSelection, recording: "asyncio.Task[None]") -> bool:
        """Calls what the fixed rules ask for, if the model cannot ask by itself; false if the turn
        waits for its user."""
        if selection.model.calls_tools:
            return True
        wishes = detected(self._led.message.content, self._rounds.offer.ids)
        if not wishes:
            return True
        log.info("tools detected", rules=[f"{wish.rule}: {wish.tool_id}" for wish in wishes])
        await settled(recording)
        self.state = turn.advance(self.state, turn.RUNNING_TOOL)
        return await self._rounds.call(calls_of(wishes), "") or self._awaits()

    async def _generate(
        self, selection: ModelSelection, recording: "asyncio.Task[None] | None"
    ) -> bool:
        """The rounds of a model, until it asks for no more tools, or may not."""
        while True:
            self.state = turn.advance(self.state, turn.GENERATING)
            tools, limit = self._tools(selection)
            calls = await self._round(selection, tools)
            if not tools and calls:
                self._rounds.refuse(calls, limit)
                calls = [] if self._answer.begun else await self._asked_again(selection, limit)
            if not calls:
                return True
            if recording is not None:
                await settled(recording)
            self.state = turn.advance(self.state, turn.RUNNING_TOOL)
            if not await self._rounds.call(calls, self._answer.round_text):
                return self._awaits()

    async def _round(self, selection: ModelSelection, tools: Sequence[Tool]) -> list[ToolCall]:
        """Has the model write once; the calls that it asks for."""
        with stage("generate"):
            await self._writing.generate(await self._messages(selection), selection, tools)
        return list(orderly(self._answer.calls, self._rounds.allowance.ids))

    async def _asked_again(self, selection: ModelSelection, limit: str) -> list[ToolCall]:
        """A model that wrote nothing but calls that it was told of no more writes once more. No
        calls; Unavailable if there is still no word."""
        calls = await self._round(selection, ())
        if calls:
            self._rounds.refuse(calls, limit)
        if not self._answer.begun:
            raise Unavailable(
                Reason.REASON_PROVIDER_ERROR, "the model asks for tools and writes no answer"
            )
        return []

    def _tools(self, selection: ModelSelection) -> tuple[tuple[Tool, ...], str]:
        """What the model is told of in the next round; nothing in the last, and which limit makes
        it the last."""
        if not selection.model.calls_tools or not self._rounds.offer.tools:
            return (), ""
        spent = self._rounds.allowance.spent or ("turn_deadline" if self._rounds.late else "")
        if spent:
            log.warning("no more tools in this turn", limit=spent)
            self._writing.miss(Feature.FEATURE_TOOLS, spent)
            return (), spent
        return self._rounds.offer.tools, ""

    def _awaits(self) -> bool:
        self.state = turn.advance(self.state, turn.AWAITING_APPROVAL)
        return False

    async def _messages(self, selection: ModelSelection) -> list[PromptMessage]:
        """The prompt and what was said with tools since. Long results take their time to count."""
        steps, prompt = list(self._rounds.steps), with_images(self.bundle.messages, self._images)
        if not steps:
            return prompt
        tokens = self.bundle.manifest.tokens + self._rounds.offer.tokens + self._shown(selection)
        room = Room.beside(selection.model, tokens, self._settings.tool_result_share)
        by_rule = not selection.model.calls_tools
        return prompt + await asyncio.to_thread(messages_of, steps, room, detected=by_rule)

    async def _offer(
        self,
        listing: "asyncio.Task[list[Tool]]",
        selection: ModelSelection,
        *,
        needed: bool = False,
    ) -> None:
        """Settles the tools of this turn. A model that calls none does not wait for their list,
        unless a rule asks for one."""
        model = selection.model
        if not (model.calls_tools or needed or detected(self._led.message.content)):
            return
        try:
            async with asyncio.timeout(LIST_SECONDS):
                tools = await listing
        except (KariError, TimeoutError) as error:
            log.warning("turn goes on without tools", error=str(error))
            self._writing.miss(Feature.FEATURE_TOOLS, "tool_integration")
            return
        if model.calls_tools:
            found = offer(tools, room_for_tools(model))
        else:
            wanted = {wish.tool_id for wish in detected(self._led.message.content)}
            found = Offer(tuple(tool for tool in tools if tool.id in wanted))
        log.info("tools offered", tools=found.ids, left_out=found.left_out)
        self._rounds.offer = found

    def _taken(self, selection: ModelSelection) -> int:
        """Tokens of the window that belong to images, and to tools: their declarations, or the
        results of the calls that were detected, at most a quarter of it."""
        return self._shown(selection) + self._for_tools(selection)

    def _shown(self, selection: ModelSelection) -> int:
        return IMAGE_TOKENS * len(self._images) if selection.model.sees else 0

    def _for_tools(self, selection: ModelSelection) -> int:
        if selection.model.calls_tools:
            return self._rounds.offer.tokens
        wishes = detected(self._led.message.content, self._rounds.offer.ids)
        window = selection.model.context_window
        share = int(window * self._settings.tool_result_share)
        return min(len(wishes) * share, window // 4)

    async def _look(self, selection: ModelSelection) -> None:
        """Finds the images that the model is shown."""
        self._images, missing = await images_of(self._peers, self._led.message, selection.model)
        if missing:
            self._writing.miss(Feature.FEATURE_IMAGES, missing)

    async def _selection(self, conversation: Conversation) -> ModelSelection:
        """The model that was chosen when the turn began."""
        if self._led.turn.HasField("selection"):
            return self._led.turn.selection
        content = self._led.message.content
        return await self._writing.select(conversation, self._led.model, content)

    async def _prompt_again(self, conversation: Conversation) -> ContextBundle:
        """The prompt that the model was given, with what there still is of it."""
        message = self._led.message
        try:
            with stage("context"):
                replayed = await patiently(
                    lambda: Replaying(self._peers).replay(self._led.turn.id, principal()),
                    PATIENCE_SECONDS,
                )
        except KariError as error:
            log.error("going on without context", error=error.message)
            self._writing.miss(Feature.FEATURE_FULL_CONTEXT, "context_integrator")
            return minimal(message.content, conversation.system_instructions)
        log.info("prompt made again", identical=replayed.identical)
        if not replayed.bundle.messages:
            return minimal(message.content, conversation.system_instructions)
        return replayed.bundle

    async def _conversation(self) -> Conversation:
        request = GetConversationRequest(conversation_id=self._led.turn.conversation_id)
        response = await patiently(
            lambda: self._peers.conversations.GetConversation(request), PATIENCE_SECONDS
        )
        return response.conversation


async def settled(task: "asyncio.Task[None]") -> None:
    """Waits for a task even while being cancelled: its write is under way."""
    await asyncio.shield(asyncio.wait({task}))


@asynccontextmanager
async def _beside(work: Coroutine[None, None, T]) -> "AsyncIterator[asyncio.Task[T]]":
    """Work that is done beside what is in the block, and given up at its end."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        if task.done() and not task.cancelled():
            task.exception()  # nobody asked for it
