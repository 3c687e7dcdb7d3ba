"""The wiring: how each server is put together. The one composition root; tests use it too."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from redis.asyncio import Redis

from kari.chat_hub.v1 import chat_hub_pb2, chat_hub_pb2_grpc
from kari.chat_orchestrator.v1 import chat_orchestrator_pb2, chat_orchestrator_pb2_grpc
from kari.context_integrator.v1 import context_integrator_pb2, context_integrator_pb2_grpc
from kari.conversation_manager.v1 import conversation_manager_pb2, conversation_manager_pb2_grpc
from kari.identity.v1 import identity_pb2, identity_pb2_grpc
from kari.instruction_processor.v1 import instruction_processor_pb2, instruction_processor_pb2_grpc
from kari.memory_processor.v1 import memory_processor_pb2, memory_processor_pb2_grpc
from kari.model_factory.v1 import model_factory_pb2, model_factory_pb2_grpc
from kari.production_memory.v1 import production_memory_pb2, production_memory_pb2_grpc
from kari.stream_processor.v1 import stream_processor_pb2, stream_processor_pb2_grpc
from servers import topology
from servers.chat_hub.attending import Attending
from servers.chat_hub.board import Board
from servers.chat_hub.fan_out import FanOut
from servers.chat_hub.following import Following
from servers.chat_hub.news import News
from servers.chat_hub.peers import Peers as HubPeers
from servers.chat_hub.sending import Sending
from servers.chat_hub.servicer import ChatHub
from servers.chat_hub.store_attendance import SharedAttendance
from servers.chat_hub.watching import Watching
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.servicer import ChatOrchestrator
from servers.chat_orchestrator.turns import Turns
from servers.context_integrator.gathering import Gathering
from servers.context_integrator.servicer import ContextIntegrator
from servers.conversation_manager.conversations import Conversations
from servers.conversation_manager.history import History
from servers.conversation_manager.proposals import Proposals
from servers.conversation_manager.servicer import ConversationManager
from servers.conversation_manager.updating import Updating
from servers.identity.access import Signer
from servers.identity.administration import Administration
from servers.identity.first_accounts import FirstAccounts
from servers.identity.passwords import Passwords
from servers.identity.servicer import Identity
from servers.identity.sign_in import SignIn
from servers.identity.store import Sessions, Users
from servers.identity.store_lockout import Lockout
from servers.instruction_processor.applying import Applying
from servers.instruction_processor.models import Models
from servers.instruction_processor.processing import Processing
from servers.instruction_processor.questions import Questions
from servers.instruction_processor.servicer import InstructionProcessor
from servers.memory_processor.retrieval import ShortTerm
from servers.memory_processor.servicer import MemoryProcessor
from servers.model_factory.factory import ModelFactory
from servers.model_factory.servicer import ModelFactoryServicer
from servers.production_memory.beginning import Beginning
from servers.production_memory.buffering import Buffering
from servers.production_memory.embedding import Embedding
from servers.production_memory.ending import Ending
from servers.production_memory.jobs import Jobs
from servers.production_memory.leading import Leading
from servers.production_memory.reading import Reading
from servers.production_memory.servicer import ProductionMemory
from servers.production_memory.store import VectorStore
from servers.production_memory.store_milvus import open_milvus
from servers.production_memory.vectorizing import Vectorizing
from servers.runtime import postgres, redis
from servers.runtime.access_tokens import AccessTokens
from servers.runtime.bootstrap import Bootstrap, Hook, Hosted, Security
from servers.runtime.channels import Channels
from servers.runtime.ended_sessions import EndedSessions
from servers.runtime.keys import KeyFiles, identity_key, mesh_key
from servers.runtime.mesh_key import MeshKey
from servers.runtime.resources import Resource, Resources
from servers.runtime.session_buffer import SessionBuffer
from servers.runtime.settings import Placement, Settings
from servers.stream_processor.guarded import GuardedJournal
from servers.stream_processor.journal_memory import MemoryJournal
from servers.stream_processor.journal_redis import RedisJournal
from servers.stream_processor.readers import Readers
from servers.stream_processor.servicer import StreamProcessor
from servers.stream_processor.streams import Streams
from servers.stream_processor.upkeep import Upkeep

if TYPE_CHECKING:
    from gateway.app import Gateway

S = TypeVar("S")


class Wiring:
    """What servers are put together from: settings, keys, stores and channels of one process."""

    def __init__(self, settings: Settings, keys: KeyFiles) -> None:
        self.settings = settings
        self.keys = keys
        self.mesh_key: MeshKey = mesh_key(keys.mesh)
        self.access_tokens = AccessTokens(keys.jwks)
        self.resources = Resources()
        self._channels: dict[str, Channels] = {}

    @cached_property
    def redis(self) -> Resource[Redis]:
        """Redis, one pool for all servers of the process."""
        return self.resources.add(
            "redis", partial(redis.open_redis, self.settings), redis.ping, required=False
        )

    def database(self, name: str, *, largest: int = 8) -> Resource[postgres.Database]:
        """The schema of server `name`."""
        return self.resources.add(
            f"postgres.{name}",
            partial(postgres.open_database, self.settings, name, largest=largest),
            postgres.ping,
            required=True,
        )

    def channel(self, name: str, peer: str, contract: FileDescriptor) -> grpc.aio.Channel:
        """The channel from server `name` to a peer; KeyError if the topology has no such arrow."""
        if name not in self._channels:
            self._channels[name] = Channels(
                name, frozenset(topology.NODES[name].calls), self.address_of, self.mesh_key
            )
        return self._channels[name].to(peer, service_in(contract))

    def address_of(self, peer: str) -> str:
        """Where a server lives in this placement."""
        return f"{self.settings.grpc_host}:{port_of(peer, self.settings)}"

    def security(self) -> Security:
        """Keys, and the arrows as the interceptors want them."""
        callers = {
            topology.service_of(n.name): topology.callers_of(n.name) for n in topology.SERVERS
        }
        return Security(self.access_tokens, self.mesh_key, callers)

    async def close(self) -> None:
        """Closes the channels, and the resources of a process that has no bootstrap to do so."""
        for channels in self._channels.values():
            await channels.close()
        await self.resources.close()


def chat_hub(w: Wiring) -> Hosted:
    """Chat hub."""
    peers = _hub_peers(partial(w.channel, "chat_hub"))
    board = Board()
    fan_out = FanOut(w.redis, board)
    attending = Attending(SharedAttendance(w.redis, fan_out.process), fan_out)
    news = News(fan_out)
    watching = Watching(peers.conversations, board, fan_out, attending)
    following = Following(peers.conversations, peers.streams)
    return _hosted(
        "chat_hub",
        chat_hub_pb2.DESCRIPTOR,
        chat_hub_pb2_grpc.add_ChatHubServiceServicer_to_server,
        ChatHub(peers, Sending(peers, news), following, watching, news),
        loops=(fan_out.listen, attending.renew),
        close=attending.close,
    )


def instruction_processor(w: Wiring) -> Hosted:
    """Instruction processor."""
    channel = partial(w.channel, "instruction_processor")
    conversations = conversation_manager_pb2_grpc.ConversationManagerServiceStub(
        channel("conversation_manager", conversation_manager_pb2.DESCRIPTOR)
    )
    orchestrator = chat_orchestrator_pb2_grpc.ChatOrchestratorServiceStub(
        channel("chat_orchestrator", chat_orchestrator_pb2.DESCRIPTOR)
    )
    models = Models(
        model_factory_pb2_grpc.ModelFactoryServiceStub(
            channel("model_factory", model_factory_pb2.DESCRIPTOR)
        )
    )
    applying = Applying(conversations, Questions(conversations, models))
    processing = Processing(applying, models, orchestrator)
    return _hosted(
        "instruction_processor",
        instruction_processor_pb2.DESCRIPTOR,
        instruction_processor_pb2_grpc.add_InstructionProcessorServiceServicer_to_server,
        InstructionProcessor(processing, conversations),
    )


def context_integrator(w: Wiring) -> Hosted:
    """Context integrator."""
    channel = partial(w.channel, "context_integrator")
    gathering = Gathering(
        memory_processor_pb2_grpc.MemoryProcessorServiceStub(
            channel("memory_processor", memory_processor_pb2.DESCRIPTOR)
        ),
        production_memory_pb2_grpc.ProductionMemoryServiceStub(
            channel("production_memory", production_memory_pb2.DESCRIPTOR)
        ),
    )
    return _hosted(
        "context_integrator",
        context_integrator_pb2.DESCRIPTOR,
        context_integrator_pb2_grpc.add_ContextIntegratorServiceServicer_to_server,
        ContextIntegrator(gathering),
    )


def memory_processor(w: Wiring) -> Hosted:
    """Memory processor."""
    channel = w.channel("memory_processor", "production_memory", production_memory_pb2.DESCRIPTOR)
    stored = production_memory_pb2_grpc.ProductionMemoryServiceStub(channel)
    return _hosted(
        "memory_processor",
        memory_processor_pb2.DESCRIPTOR,
        memory_processor_pb2_grpc.add_MemoryProcessorServiceServicer_to_server,
        MemoryProcessor(ShortTerm(SessionBuffer(w.redis), stored)),
    )


def chat_orchestrator(w: Wiring) -> Hosted:
    """Chat orchestrator."""
    channel = partial(w.channel, "chat_orchestrator")
    peers = Peers(
        conversations=conversation_manager_pb2_grpc.ConversationManagerServiceStub(
            channel("conversation_manager", conversation_manager_pb2.DESCRIPTOR)
        ),
        context=context_integrator_pb2_grpc.ContextIntegratorServiceStub(
            channel("context_integrator", context_integrator_pb2.DESCRIPTOR)
        ),
        memory=production_memory_pb2_grpc.ProductionMemoryServiceStub(
            channel("production_memory", production_memory_pb2.DESCRIPTOR)
        ),
        models=model_factory_pb2_grpc.ModelFactoryServiceStub(
            channel("model_factory", model_factory_pb2.DESCRIPTOR)
        ),
        streams=stream_processor_pb2_grpc.StreamProcessorServiceStub(
            channel("stream_processor", stream_processor_pb2.DESCRIPTOR)
        ),
    )
    turns = Turns(peers, w.settings, w.mesh_key)
    return _hosted(
        "chat_orchestrator",
        chat_orchestrator_pb2.DESCRIPTOR,
        chat_orchestrator_pb2_grpc.add_ChatOrchestratorServiceServicer_to_server,
        ChatOrchestrator(turns),
        loops=(turns.sweep,),
        drain=turns.drain,
    )


def model_factory(w: Wiring) -> Hosted:
    """Model factory. The local model is loaded beside whatever else starts."""
    factory = ModelFactory.of_settings(w.settings)
    w.resources.add("local_model", factory.opened, ModelFactory.ping, required=False)
    return _hosted(
        "model_factory",
        model_factory_pb2.DESCRIPTOR,
        model_factory_pb2_grpc.add_ModelFactoryServiceServicer_to_server,
        ModelFactoryServicer(factory),
    )


def stream_processor(w: Wiring) -> Hosted:
    """Stream processor."""
    ttl = w.settings.stream_ttl_seconds
    memory, durable = MemoryJournal(), GuardedJournal(RedisJournal(w.redis, ttl))
    streams = Streams(memory, durable, expose_reasoning=w.settings.expose_reasoning)
    readers = Readers(streams, memory)
    upkeep = Upkeep(streams, readers, memory, durable, ttl=ttl)
    return _hosted(
        "stream_processor",
        stream_processor_pb2.DESCRIPTOR,
        stream_processor_pb2_grpc.add_StreamProcessorServiceServicer_to_server,
        StreamProcessor(streams, readers),
        loops=(upkeep.read_others, upkeep.settle, upkeep.sweep),
    )


def identity(w: Wiring) -> Hosted:
    """Identity."""
    database, passwords = w.database("identity", largest=4), Passwords()
    users, sessions = Users(database), Sessions(database)
    seconds = w.settings.access_token_seconds
    signer, ended = Signer(identity_key(w.keys.identity), seconds), EndedSessions(w.redis, seconds)
    lockout = Lockout(w.redis)
    sign_in = SignIn(users, sessions, passwords, lockout, ended, signer, w.settings)
    return _hosted(
        "identity",
        identity_pb2.DESCRIPTOR,
        identity_pb2_grpc.add_IdentityServiceServicer_to_server,
        Identity(sign_in, Administration(users, passwords), signer.jwks),
        prepare=FirstAccounts(database, passwords, w.settings.data).ensure,
        close=passwords.close,
    )


def production_memory(w: Wiring) -> Hosted:
    """Production memory."""
    database, jobs = w.database("production_memory"), Jobs()
    vectors: Resource[VectorStore] = w.resources.add(
        "milvus", partial(open_milvus, w.settings), lambda store: store.ping(), required=False
    )
    models = model_factory_pb2_grpc.ModelFactoryServiceStub(
        w.channel("production_memory", "model_factory", model_factory_pb2.DESCRIPTOR)
    )
    embedding = Embedding(database, jobs, Vectorizing(database, models, vectors))
    buffering = Buffering(SessionBuffer(w.redis))
    return _hosted(
        "production_memory",
        production_memory_pb2.DESCRIPTOR,
        production_memory_pb2_grpc.add_ProductionMemoryServiceServicer_to_server,
        ProductionMemory(
            Beginning(database, buffering, w.settings),
            Leading(database),
            Ending(database, buffering, jobs),
            Reading(database, buffering),
        ),
        loops=(embedding.run, embedding.tidy),
    )


def gateway(w: Wiring) -> "AbstractAsyncContextManager[Gateway]":
    """The edge; no server, so it is entered beside them. Imported here: it brings a web server,
    15 MB that the processes of the others do without."""
    from gateway.app import serving_gateway

    return serving_gateway(
        w.settings,
        w.channel("gateway", "chat_hub", chat_hub_pb2.DESCRIPTOR),
        w.channel("gateway", "identity", identity_pb2.DESCRIPTOR),
        w.redis,
        w.access_tokens,
    )


def conversation_manager(w: Wiring) -> Hosted:
    """Conversation manager."""
    database = w.database("conversation_manager")
    channel = w.channel(
        "conversation_manager", "production_memory", production_memory_pb2.DESCRIPTOR
    )
    stored = production_memory_pb2_grpc.ProductionMemoryServiceStub(channel)
    history = History(database, stored)
    updating = Updating(database, history)
    return _hosted(
        "conversation_manager",
        conversation_manager_pb2.DESCRIPTOR,
        conversation_manager_pb2_grpc.add_ConversationManagerServiceServicer_to_server,
        ConversationManager(
            Conversations(database), updating, Proposals(database, updating), history
        ),
    )


HOW: Mapping[str, Callable[[Wiring], Hosted]] = {
    "chat_hub": chat_hub,
    "instruction_processor": instruction_processor,
    "context_integrator": context_integrator,
    "memory_processor": memory_processor,
    "production_memory": production_memory,
    "chat_orchestrator": chat_orchestrator,
    "stream_processor": stream_processor,
    "model_factory": model_factory,
    "conversation_manager": conversation_manager,
    "identity": identity,
}
"""How each server is put together, by name."""


def _hub_peers(channel: Callable[[str, FileDescriptor], grpc.aio.Channel]) -> HubPeers:
    return HubPeers(
        instructions=instruction_processor_pb2_grpc.InstructionProcessorServiceStub(
            channel("instruction_processor", instruction_processor_pb2.DESCRIPTOR)
        ),
        orchestrator=chat_orchestrator_pb2_grpc.ChatOrchestratorServiceStub(
            channel("chat_orchestrator", chat_orchestrator_pb2.DESCRIPTOR)
        ),
        streams=stream_processor_pb2_grpc.StreamProcessorServiceStub(
            channel("stream_processor", stream_processor_pb2.DESCRIPTOR)
        ),
        conversations=conversation_manager_pb2_grpc.ConversationManagerServiceStub(
            channel("conversation_manager", conversation_manager_pb2.DESCRIPTOR)
        ),
    )


def _hosted(
    name: str,
    contract: FileDescriptor,
    register: Callable[[S, grpc.aio.Server], None],
    servicer: S,
    *,
    prepare: Hook | None = None,
    loops: tuple[Hook, ...] = (),
    drain: Hook | None = None,
    close: Hook | None = None,
) -> Hosted:
    return Hosted(
        name,
        service_in(contract),
        partial(register, servicer),
        prepare=prepare,
        loops=loops,
        drain=drain,
        close=close,
    )


def service_in(contract: FileDescriptor) -> ServiceDescriptor:
    """The one service of a contract."""
    (service,) = contract.services_by_name.values()
    return service


def port_of(name: str, settings: Settings) -> int:
    """Port of a server in the placement of the settings."""
    spread = settings.placement is Placement.SPREAD
    return topology.port_of(name, settings.grpc_port, spread=spread)


def bootstrap(w: Wiring, names: Sequence[str]) -> Bootstrap:
    """The named servers, ready to start on the port of the first."""
    hosted = [HOW[name](w) for name in names]
    address = f"{w.settings.grpc_host}:{port_of(names[0], w.settings)}"
    return Bootstrap(hosted, w.resources, w.security(), address)


def metrics_port(name: str, settings: Settings) -> int:
    """Port of the metrics of a server's own process; 0 is off."""
    if not settings.metrics_port or settings.placement is Placement.TOGETHER:
        return 0
    return settings.metrics_port + topology.NODES[name].port
