"""Writing an answer: choose a model, assemble the context, take the model's stream."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import grpc
import structlog

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.context_pb2 import ContextBundle, PromptMessage
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import Message
from kari.conversation_models.v1.model_pb2 import ModelSelection, SelectionRule
from kari.conversation_models.v1.tool_pb2 import Tool
from kari.conversation_models.v1.turn_pb2 import ContextReady, TurnEvent
from kari.errors.v1.errors_pb2 import Reason
from kari.model_factory.v1.model_factory_pb2 import GenerateRequest, SelectModelRequest
from servers.chat_orchestrator.allowance import MOST_AT_ONCE
from servers.chat_orchestrator.answer import Answer
from servers.chat_orchestrator.peers import Peers, patiently
from servers.chat_orchestrator.prompt import budget, minimal, snapshot, tokens_by_source
from servers.chat_orchestrator.stages import stage
from servers.runtime.errors import KariError, Unavailable, from_rpc

# A peer that restarts is back within this; a user waits no longer for a first word.
PATIENCE_SECONDS = 5.0
ATTEMPTS = 3

log = structlog.get_logger("kari.chat_orchestrator")


class Writing:
    """The answer to one message. `tell` takes the events as they come."""

    def __init__(
        self, peers: Peers, context_tokens: int, answer: Answer, tell: Callable[..., None]
    ) -> None:
        self._peers = peers
        self._context_tokens = context_tokens
        self._answer = answer
        self._tell = tell

    async def select(
        self, conversation: Conversation, override: str, content: str
    ) -> ModelSelection:
        """The model of this answer."""
        request = SelectModelRequest(
            override=override or conversation.model, mode=conversation.mode, content=content
        )
        with stage("select"):
            response = await patiently(
                lambda: self._peers.models.SelectModel(request), PATIENCE_SECONDS
            )
        selection = response.selection
        log.info(
            "model selected",
            model=selection.model.id,
            rule=SelectionRule.Name(selection.rule),
            explanation=selection.explanation,
        )
        return selection

    async def context(
        self,
        conversation: Conversation,
        message: Message,
        selection: ModelSelection,
        taken: int = 0,
    ) -> ContextBundle:
        """The prompt, which leaves so many tokens of the window to tools; the message and the
        instructions where no context can be had."""
        request = AssembleRequest(
            conversation=conversation,
            current_message=message,
            budget_tokens=budget(selection.model, self._context_tokens, taken),
            tokenizer=selection.model.tokenizer,
        )
        try:
            with stage("context"):
                response = await patiently(lambda: self._peers.context.Assemble(request), 2.0)
        except KariError as error:
            log.error("answering without context", error=error.message)
            self.miss(
                Feature.FEATURE_FULL_CONTEXT, error.details.get("store", "context_integrator")
            )
            return minimal(message.content, conversation.system_instructions)
        for degradation in response.degradations:
            self._tell(*self._answer.degrade(degradation))
        return response.bundle

    def announce(self, turn_id: str, bundle: ContextBundle, selection: ModelSelection) -> None:
        """Tells what the answer will be made from."""
        ready = ContextReady(
            tokens_by_source=tokens_by_source(bundle.manifest),
            snapshot=snapshot(turn_id, bundle.manifest),
        )
        self._tell(TurnEvent(context_ready=ready), TurnEvent(model_selected=selection))

    def miss(self, feature: Feature.ValueType, cause: str) -> None:
        """Tells that something is missing in this turn, once."""
        self._tell(*self._answer.degrade(Degradation(feature=feature, cause=cause)))

    async def generate(
        self,
        messages: Sequence[PromptMessage],
        selection: ModelSelection,
        tools: Sequence[Tool] = (),
    ) -> None:
        """Takes the model's stream of one round to its end. A factory that dies before the first
        word is asked again. Unavailable if there is no answer in the end."""
        request = GenerateRequest(
            model=selection.model.id,
            fallback_model_ids=selection.fallback_model_ids,
            messages=messages,
            tools=tools,
        )
        self._answer.begin_round()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._take(request)
            except grpc.aio.AioRpcError as failure:
                error = from_rpc(failure)
                gone = error.reason == Reason.REASON_SERVER_UNAVAILABLE
                if not gone or self._answer.round_begun or attempt == ATTEMPTS:
                    raise error from failure
            await asyncio.sleep(random.uniform(0, attempt))  # noqa: S311  # jitter is no secret
        return None

    async def _take(self, request: GenerateRequest) -> None:
        call = self._peers.models.Generate(request)
        try:
            async for response in call:
                self._tell(*self._answer.take(response, time.monotonic()))
                if len(self._answer.calls) >= MOST_AT_ONCE:
                    log.warning("model asks for tools without end")
                    return
        finally:
            call.cancel()
        if not self._answer.finished:
            raise Unavailable(Reason.REASON_PROVIDER_ERROR, "the answer was cut off on its way")
        if not (self._answer.begun or self._answer.calls):
            raise Unavailable(Reason.REASON_PROVIDER_ERROR, "the model answered without a word")
