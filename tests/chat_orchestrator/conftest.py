"""The orchestrator among its real peers, with scripted models."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest_asyncio

from kari.chat_orchestrator.v1 import chat_orchestrator_pb2_grpc
from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import StartTurnRequest
from kari.conversation_manager.v1 import conversation_manager_pb2_grpc
from kari.conversation_manager.v1.conversation_manager_pb2 import CreateConversationRequest
from kari.conversation_models.v1.turn_pb2 import Turn, TurnEvent
from kari.production_memory.v1 import production_memory_pb2_grpc
from kari.production_memory.v1.production_memory_pb2 import (
    GetTurnRequest,
    GetTurnResponse,
    ListMessagesRequest,
)
from kari.stream_processor.v1 import stream_processor_pb2_grpc
from kari.stream_processor.v1.stream_processor_pb2 import FollowRequest
from servers.runtime.channels import Channels
from servers.runtime.ids import new_correlation_id
from servers.runtime.mesh_key import OPERATOR
from servers.runtime.settings import Settings
from servers.wiring import Wiring, contract_of
from tests.chat_orchestrator.scripted_models import ScriptedModels
from tests.hosting import Somebody, hosting

PEERS = (
    "conversation_manager",
    "context_integrator",
    "memory_processor",
    "conversation_search",
    "production_memory",
    "stream_processor",
)
LAST = ("completed", "failed", "cancelled")


@dataclass
class Stage:
    """An orchestrator among its peers, and a user with a conversation."""

    wiring: Wiring
    models: ScriptedModels
    user: Somebody = field(default_factory=lambda: Somebody())
    conversation_id: str = ""

    def __post_init__(self) -> None:
        self.models.tenant_id = self.user.tenant_id
        names = frozenset((*PEERS, "chat_orchestrator"))
        self.channels = Channels(OPERATOR, names, self.wiring.address_of, self.wiring.mesh_key)
        self.orchestrator = chat_orchestrator_pb2_grpc.ChatOrchestratorServiceStub(
            self._to("chat_orchestrator")
        )
        self.memory = production_memory_pb2_grpc.ProductionMemoryServiceStub(
            self._to("production_memory")
        )
        self.conversations = conversation_manager_pb2_grpc.ConversationManagerServiceStub(
            self._to("conversation_manager")
        )
        self.streams = stream_processor_pb2_grpc.StreamProcessorServiceStub(
            self._to("stream_processor")
        )

    def _to(self, name: str) -> grpc.aio.Channel:
        return self.channels.to(name, contract_of(name))

    async def begin(self) -> None:
        """A conversation to talk in."""
        with self.user.acts(self.wiring):
            request = CreateConversationRequest(request_id=new_correlation_id())
            created = await self.conversations.CreateConversation(request)
        self.conversation_id = created.conversation.id

    async def start(self, content: str, **fields: Any) -> Turn:
        """Starts a turn."""
        request = StartTurnRequest(
            conversation_id=self.conversation_id,
            content=content,
            request_id=fields.pop("request_id", new_correlation_id()),
            **fields,
        )
        with self.user.acts(self.wiring):
            turn: Turn = (await self.orchestrator.StartTurn(request)).turn
        return turn

    async def events(self, turn: Turn, until: str = "") -> list[TurnEvent]:
        """The events of a turn up to its end, or up to the first of a kind."""
        found: list[TurnEvent] = []
        with self.user.acts(self.wiring):
            call = self.streams.Follow(FollowRequest(stream_id=turn.id))
            try:
                async for response in call:
                    found.append(response.event)
                    if response.event.WhichOneof("event") == until:
                        break
            finally:
                call.cancel()
        return found

    async def play(self, content: str, **fields: Any) -> list[TurnEvent]:
        """Starts a turn and follows it to its end."""
        return await self.events(await self.start(content, **fields))

    async def stored(self, turn: Turn) -> GetTurnResponse:
        """The turn as it is kept."""
        with self.user.acts(self.wiring):
            response: GetTurnResponse = await self.memory.GetTurn(GetTurnRequest(turn_id=turn.id))
        return response

    async def history(self) -> list[str]:
        """What was said, the oldest first."""
        with self.user.acts(self.wiring):
            request = ListMessagesRequest(conversation_id=self.conversation_id)
            response = await self.memory.ListMessages(request)
        return [message.content for message in reversed(response.messages)]

    async def close(self) -> None:
        """Closes the channels."""
        await self.channels.close()


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What a test opens, closed after it."""
    async with AsyncExitStack() as opened:
        yield opened


async def staged(
    stack: AsyncExitStack,
    settings: Settings,
    *,
    without: str = "",
    user: Somebody | None = None,
    beside: Sequence[str] = (),
    **changes: Any,
) -> Stage:
    """A stage with all peers but one, others beside them, and changed settings."""
    names = [n for n in (*PEERS, *beside, "chat_orchestrator") if n != without]
    models, user = ScriptedModels(), user or Somebody()
    models.tenant_id = user.tenant_id
    changed = settings.model_copy(update=changes)
    wiring = await stack.enter_async_context(hosting(changed, *names, others=[models.hosted()]))
    stage = Stage(wiring, models, user)
    stack.push_async_callback(stage.close)
    await stage.begin()
    return stage


async def until_waiting(models: ScriptedModels) -> None:
    """Returns when a model is in the middle of its answer."""
    while not models.requests:
        await asyncio.sleep(0.01)
