"""How chat_orchestrator is put together."""

from functools import partial

from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import (
    add_ChatOrchestratorServiceServicer_to_server,
)
from kari.context_integrator.v1.context_integrator_pb2_grpc import ContextIntegratorServiceStub
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceStub
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from kari.stream_processor.v1.stream_processor_pb2_grpc import StreamProcessorServiceStub
from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceStub
from servers.chat_orchestrator.outside import Outside
from servers.chat_orchestrator.peers import Peers
from servers.chat_orchestrator.replaying import Replaying
from servers.chat_orchestrator.servicer import ChatOrchestrator
from servers.chat_orchestrator.turns import Turns
from servers.composition.serving import served
from servers.composition.trails import trail_of
from servers.runtime.bootstrap import Hosted
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    stub = partial(w.stub, "chat_orchestrator")
    peers = Peers(
        conversations=stub("conversation_manager", ConversationManagerServiceStub),
        context=stub("context_integrator", ContextIntegratorServiceStub),
        memory=stub("production_memory", ProductionMemoryServiceStub),
        models=stub("model_factory", ModelFactoryServiceStub),
        streams=stub("stream_processor", StreamProcessorServiceStub),
        tools=stub("tool_integration", ToolIntegrationServiceStub),
        media=stub("multimedia", MultimediaServiceStub),
        trail=trail_of(w, "chat_orchestrator"),
    )
    turns = Turns(peers, w.settings, w.mesh_key)
    return served(
        "chat_orchestrator",
        add_ChatOrchestratorServiceServicer_to_server,
        ChatOrchestrator(turns, Replaying(peers), Outside(peers)),
        loops=(turns.sweep,),
        drain=turns.drain,
    )
