"""Scripted servers, served as the real ones are: hub, manager and memory in a row, streams aside.

Each does what a test told it to. The first is for users, the others for the mesh only.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from kari.chat_hub.v1 import chat_hub_pb2, chat_hub_pb2_grpc
from kari.conversation_manager.v1 import conversation_manager_pb2, conversation_manager_pb2_grpc
from kari.errors.v1.errors_pb2 import Reason
from kari.production_memory.v1 import production_memory_pb2, production_memory_pb2_grpc
from kari.stream_processor.v1 import stream_processor_pb2, stream_processor_pb2_grpc
from servers import topology
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.bootstrap import Bootstrap, Hosted, Security, serving
from servers.runtime.channels import Channels
from servers.runtime.errors import envelope_of
from servers.runtime.in_process import InProcessChannel, Port
from servers.runtime.keys import KeyFiles, ensure_keys, mesh_key
from servers.runtime.mesh_key import MeshKey
from servers.runtime.resources import Resources
from servers.runtime.settings import Settings
from servers.wiring import contract_of
from tests.runtime.tokens import access_token

CONVERSATION = f"conv_{'0' * 32}"
TURN = f"turn_{'0' * 32}"

Answer = Callable[[Any], Awaitable[Any]]
Events = Callable[[Any], AsyncGenerator[Any, None]]


async def nothing(_request: Any) -> Any:
    return None


class Hub(chat_hub_pb2_grpc.ChatHubServiceServicer):
    """A hub that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answer = nothing
        self.events: Events | None = None

    async def GetConversation(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.answer(request) or chat_hub_pb2.GetConversationResponse()

    async def SetTyping(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.answer(request) or chat_hub_pb2.SetTypingResponse()

    async def FollowTurn(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        assert self.events is not None
        async with aclosing(self.events(request)) as events:
            async for event in events:
                yield event


class Manager(conversation_manager_pb2_grpc.ConversationManagerServiceServicer):
    """A conversation manager that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answer = nothing

    async def GetConversation(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.answer(request) or conversation_manager_pb2.GetConversationResponse()

    async def UpdateConversation(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.answer(request) or conversation_manager_pb2.UpdateConversationResponse()

    async def ProposeUpdate(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.answer(request) or conversation_manager_pb2.ProposeUpdateResponse()


class Memory(production_memory_pb2_grpc.ProductionMemoryServiceServicer):
    """A production memory that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Answer = nothing

    async def GetTurn(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.answer(request) or production_memory_pb2.GetTurnResponse()

    async def ClaimAbandonedTurns(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self.answer(request) or production_memory_pb2.ClaimAbandonedTurnsResponse()


class Streams(stream_processor_pb2_grpc.StreamProcessorServiceServicer):
    """A stream processor whose streams are as it is told."""

    def __init__(self) -> None:
        self.events: Events | None = None

    async def Follow(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        assert self.events is not None
        async with aclosing(self.events(request)) as events:
            async for _ in events:
                yield stream_processor_pb2.FollowResponse()


REGISTER: dict[str, Any] = {
    "chat_hub": chat_hub_pb2_grpc.add_ChatHubServiceServicer_to_server,
    "conversation_manager": (
        conversation_manager_pb2_grpc.add_ConversationManagerServiceServicer_to_server
    ),
    "production_memory": production_memory_pb2_grpc.add_ProductionMemoryServiceServicer_to_server,
    "stream_processor": stream_processor_pb2_grpc.add_StreamProcessorServiceServicer_to_server,
}


def hosted(name: str, servicer: Any, **more: Any) -> Hosted:
    """A scripted servicer, ready to be served."""
    return Hosted(name, contract_of(name), partial(REGISTER[name], servicer), **more)


def security(keys: KeyFiles) -> Security:
    """Keys and the real arrows."""
    callers = {topology.service_of(n.name): topology.callers_of(n.name) for n in topology.SERVERS}
    return Security(AccessTokens(keys.jwks), mesh_key(keys.mesh), callers)


@dataclass
class Mesh:
    """The servers, and the way to them as a user and as a server."""

    keys: KeyFiles
    key: MeshKey
    in_process: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    inside: dict[str, Port] = field(default_factory=dict)
    hub: Hub = field(default_factory=Hub)
    manager: Manager = field(default_factory=Manager)
    memory: Memory = field(default_factory=Memory)
    streams: Streams = field(default_factory=Streams)
    open: AsyncExitStack = field(default_factory=AsyncExitStack)

    def as_user(self, *roles: str, **claims: Any) -> tuple[tuple[str, str], ...]:
        """Metadata of a user with roles; `chat.user` unless told."""
        token = access_token(self.keys, roles=roles or ("chat.user",), **claims)
        return (("authorization", f"Bearer {token}"),)

    def as_server(self, name: str) -> tuple[tuple[str, str], ...]:
        """Metadata that proves a server's name."""
        return (("x-kari-caller", self.key.prove(name)),)

    async def plain(self, name: str) -> grpc.aio.Channel:
        """A channel of anybody's, without our interceptors."""
        if self.in_process:
            return await self.open.enter_async_context(InProcessChannel(self.inside[name]))
        return await self.socket(name)

    async def socket(self, name: str) -> grpc.aio.Channel:
        """As `plain`, of a client outside of the process."""
        address = f"127.0.0.1:{self.ports[name]}"
        return await self.open.enter_async_context(grpc.aio.insecure_channel(address))

    def channel(self, name: str, peer: str) -> grpc.aio.Channel:
        """The channel from a server to a peer, as the wiring opens it."""
        channels = Channels(
            name,
            frozenset(topology.NODES[name].calls),
            lambda peer: f"127.0.0.1:{self.ports[peer]}",
            self.key,
            self.inside if self.in_process else {},
        )
        self.open.push_async_callback(channels.close)
        return channels.to(peer, contract_of(peer))

    def lose(self, name: str) -> None:
        """From now on nobody listens where a server is said to be."""
        self.ports[name] = 1
        self.inside[name] = Port(name)

    async def user_stub(self) -> "chat_hub_pb2_grpc.ChatHubServiceAsyncStub":
        return chat_hub_pb2_grpc.ChatHubServiceStub(await self.plain("chat_hub"))

    async def manager_stub(
        self,
    ) -> "conversation_manager_pb2_grpc.ConversationManagerServiceAsyncStub":
        channel = await self.plain("conversation_manager")
        return conversation_manager_pb2_grpc.ConversationManagerServiceStub(channel)

    def pass_on(self) -> None:
        """Lets the hub ask the manager, and the manager the memory, whose answer is left open."""
        manager = conversation_manager_pb2_grpc.ConversationManagerServiceStub(
            self.channel("chat_hub", "conversation_manager")
        )
        memory = production_memory_pb2_grpc.ProductionMemoryServiceStub(
            self.channel("conversation_manager", "production_memory")
        )

        async def ask_manager(request: Any) -> None:
            await manager.GetConversation(
                conversation_manager_pb2.GetConversationRequest(conversation_id=CONVERSATION)
            )

        async def ask_memory(request: Any) -> None:
            await memory.GetTurn(production_memory_pb2.GetTurnRequest(turn_id=TURN))

        self.hub.answer, self.manager.answer = ask_manager, ask_memory

    def relay(self, events: Events) -> None:
        """Lets the hub's streams be those of the stream processor, whose events are given."""
        stub = stream_processor_pb2_grpc.StreamProcessorServiceStub(
            self.channel("chat_hub", "stream_processor")
        )

        async def relayed(_request: Any) -> AsyncIterator[Any]:
            call = stub.Follow(stream_processor_pb2.FollowRequest(stream_id=TURN))
            try:
                async for _ in call:
                    yield chat_hub_pb2.FollowTurnResponse()
            finally:
                call.cancel()

        self.hub.events, self.streams.events = relayed, events


@asynccontextmanager
async def serving_mesh(
    folder: Path, only: Sequence[str] = tuple(REGISTER), *, in_process: bool = False
) -> AsyncIterator[Mesh]:
    """Serves each of them on a port of its own; they and the tests call them through sockets, or
    in process if told so."""
    keys = ensure_keys(Settings(data=folder))
    mesh = Mesh(keys, mesh_key(keys.mesh), in_process)
    servicers = (mesh.hub, mesh.manager, mesh.memory, mesh.streams)
    async with AsyncExitStack() as stack:
        for name, servicer in zip(REGISTER, servicers, strict=True):
            if name in only:
                mesh.inside[name] = Port(name)
                bootstrap = Bootstrap(
                    [hosted(name, servicer)],
                    Resources(),
                    security(keys),
                    "127.0.0.1:0",
                    mesh.inside[name],
                )
                mesh.ports[name] = await stack.enter_async_context(serving(bootstrap, 0.2))
        async with mesh.open:
            yield mesh


def get_conversation() -> chat_hub_pb2.GetConversationRequest:
    """A valid request to the hub."""
    return chat_hub_pb2.GetConversationRequest(conversation_id=CONVERSATION)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Name of the reason that an error carries."""
    envelope = envelope_of(error)
    assert envelope is not None, error
    return Reason.Name(envelope.reason)
