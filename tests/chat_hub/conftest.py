"""A hub over a real Valkey and a real stream processor, between scripted peers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from kari.chat_hub.v1 import chat_hub_pb2 as pb
from kari.chat_hub.v1 import chat_hub_pb2_grpc
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.turn_pb2 import StreamPosition, Turn, TurnState
from servers.composition.mesh import put_together
from servers.runtime.call import Principal
from servers.runtime.ids import new_id
from servers.runtime.settings import Settings
from tests.chat_hub.instructions import ScriptedInstructions
from tests.chat_hub.search import ScriptedSearch
from tests.instruction_processor.conversations import ScriptedConversations
from tests.instruction_processor.orchestrator import ScriptedOrchestrator
from tests.stream_processor.conditions import metric, until
from tests.stream_processor.conftest import Client
from tests.stream_processor.serving import Mesh, MeshWiring
from tests.stream_processor.valkey import TestValkey

if TYPE_CHECKING:
    from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceAsyncStub


WATCHERS = "kari_chat_watchers"


@dataclass
class House:
    """Everything around the hub; `stub` and `user` are those of somebody signed in."""

    mesh: Mesh
    settings: Settings
    valkey: TestValkey
    conversations: ScriptedConversations = field(default_factory=ScriptedConversations)
    orchestrator: ScriptedOrchestrator = field(default_factory=ScriptedOrchestrator)
    instructions: ScriptedInstructions = field(default_factory=ScriptedInstructions)
    search: ScriptedSearch = field(default_factory=ScriptedSearch)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    streaming: AsyncExitStack = field(default_factory=AsyncExitStack)

    stub: "ChatHubServiceAsyncStub" = field(init=False)
    streams: Client = field(init=False)
    user: Principal = field(init=False)
    conversation: Conversation = field(init=False)

    async def start_peers(self) -> None:
        for peer in (self.conversations, self.orchestrator, self.instructions, self.search):
            await self.stack.enter_async_context(self.mesh.serving(peer.hosted()))
        await self.start_stream_processor()

    async def start_stream_processor(self) -> None:
        """On the port of the one before, if there was one."""
        port = int(self.mesh.addresses.get("stream_processor", ":0").rpartition(":")[2])
        wiring = MeshWiring(self.settings, self.mesh)
        hosted = put_together("stream_processor", wiring)
        await self.streaming.enter_async_context(
            self.mesh.serving(hosted, wiring.resources, port=port)
        )
        self.streams = Client(self.mesh.channel("chat_orchestrator", "stream_processor"))

    async def stop_stream_processor(self) -> None:
        await self.streaming.aclose()

    async def start_hub(self) -> "ChatHubServiceAsyncStub":
        """One more hub, as if in a process of its own."""
        wiring = MeshWiring(self.settings, self.mesh)
        hosted = put_together("chat_hub", wiring)
        await self.stack.enter_async_context(self.mesh.serving(hosted, wiring.resources))
        channel = self.mesh.channel("gateway", "chat_hub")
        return chat_hub_pb2_grpc.ChatHubServiceStub(channel)

    async def send(
        self, content: str, conversation_id: str | None = None, request_id: str = ""
    ) -> pb.SendMessageResponse:
        known = self.conversation.id if conversation_id is None else conversation_id
        request = pb.SendMessageRequest(
            conversation_id=known, content=content, request_id=request_id or new_id("req")
        )
        return await self.stub.SendMessage(request)

    def turn(self, state: TurnState.ValueType = TurnState.TURN_STATE_GENERATING) -> Turn:
        """A turn that is stored, without a stream."""
        made = Turn(id=new_id("turn"), conversation_id=self.conversation.id, state=state)
        self.conversations.turns[made.id] = (made, None)
        return made

    @asynccontextmanager
    async def watching(
        self,
        user_id: str = "",
        *,
        hub: "ChatHubServiceAsyncStub | None" = None,
        conversation_ids: Sequence[str] = (),
    ) -> "AsyncIterator[Screen]":
        """A screen of a user, of the one who is signed in unless another is named; it is there
        when the hub has begun to watch."""
        before = metric(WATCHERS)
        with self.mesh.user(user_id=user_id or self.user.user_id):
            screen = Screen(hub or self.stub, conversation_ids or [self.conversation.id])
        await until(lambda: metric(WATCHERS) == before + 1)
        yield screen
        await screen.close()
        await until(lambda: metric(WATCHERS) == before)

    def guest(self) -> str:
        """Another participant of the conversation."""
        user_id = new_id("user")
        self.conversation.participant_ids.append(user_id)
        return user_id

    async def follow(
        self, turn_id: str, after: StreamPosition | None = None
    ) -> AsyncIterator[pb.FollowTurnResponse]:
        call = self.stub.FollowTurn(pb.FollowTurnRequest(turn_id=turn_id, after=after))
        try:
            async for response in call:
                yield response
        finally:
            call.cancel()

    async def all_steps(
        self, turn_id: str, after: StreamPosition | None = None
    ) -> list[pb.FollowTurnResponse]:
        return [step async for step in self.follow(turn_id, after)]


class Screen:
    """One Watch call and everything it was told."""

    def __init__(self, stub: "ChatHubServiceAsyncStub", conversation_ids: Sequence[str]) -> None:
        self.news: list[pb.WatchResponse] = []
        self._call = stub.Watch(pb.WatchRequest(conversation_ids=conversation_ids))
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for news in self._call:
            self.news.append(news)

    def kinds(self) -> list[str | None]:
        return [news.WhichOneof("event") for news in self.news]

    def told(self, kind: str) -> list[Any]:
        """What was told of one kind."""
        return [getattr(news, kind) for news in self.news if news.HasField(kind)]  # type: ignore[arg-type]

    async def close(self) -> None:
        self._call.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[TestValkey]:
    running = TestValkey(tmp_path)
    running.start()
    yield running
    running.kill()


@pytest_asyncio.fixture
async def house(valkey: TestValkey, tmp_path: Path) -> AsyncIterator[House]:
    settings = Settings(data=tmp_path / "data", redis_url=valkey.url)
    made = House(Mesh(settings), settings, valkey)
    with made.mesh.user() as made.user:
        async with made.stack:
            await made.start_peers()
            made.conversation = made.conversations.begin(made.user.user_id)
            made.stub = await made.start_hub()
            yield made
        await made.stop_stream_processor()
        await made.mesh.close()
