"""How context_integrator is put together."""

from functools import partial

from kari.context_integrator.v1.context_integrator_pb2_grpc import (
    add_ContextIntegratorServiceServicer_to_server,
)
from kari.conversation_search.v1.conversation_search_pb2_grpc import ConversationSearchServiceStub
from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceStub
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.composition.serving import served
from servers.context_integrator.gathering import Gathering
from servers.context_integrator.replaying import Replaying
from servers.context_integrator.servicer import ContextIntegrator
from servers.runtime.bootstrap import Hosted
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    stub = partial(w.stub, "context_integrator")
    stored = stub("production_memory", ProductionMemoryServiceStub)
    gathering = Gathering(
        stub("memory_processor", MemoryProcessorServiceStub),
        stored,
        stub("conversation_search", ConversationSearchServiceStub),
    )
    return served(
        "context_integrator",
        add_ContextIntegratorServiceServicer_to_server,
        ContextIntegrator(gathering, Replaying(stored)),
    )
