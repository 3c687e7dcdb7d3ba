"""How capsules is put together."""

from functools import partial
from time import monotonic

from kari.capsules.v1.capsules_pb2_grpc import add_CapsulesServiceServicer_to_server
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_search.v1.conversation_search_pb2_grpc import ConversationSearchServiceStub
from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceStub
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceStub
from servers.capsules.admitting import Admitting
from servers.capsules.catalogue import Catalogue
from servers.capsules.outside import Outside
from servers.capsules.peers import Peers
from servers.capsules.places import capsule_places
from servers.capsules.recording import Recording
from servers.capsules.resting import Resting
from servers.capsules.running import Running
from servers.capsules.servicer import Capsules
from servers.capsules.slots import Slots
from servers.capsules.store import Runs
from servers.composition.serving import served
from servers.composition.trails import trail_of
from servers.runtime.bootstrap import Hosted
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    stub, settings = partial(w.stub, "capsules"), w.settings
    peers = Peers(
        models=stub("model_factory", ModelFactoryServiceStub),
        memory=stub("memory_processor", MemoryProcessorServiceStub),
        search=stub("conversation_search", ConversationSearchServiceStub),
        conversations=stub("conversation_manager", ConversationManagerServiceStub),
        tools=stub("tool_integration", ToolIntegrationServiceStub),
    )
    runs = Runs(w.database("capsules", largest=4))
    outside, resting = Outside(), Resting(monotonic)
    catalogue = Catalogue(capsule_places(settings, outside), resting.changed)

    async def close() -> None:
        await catalogue.close()
        await outside.close()

    running = Running(
        Admitting(catalogue, peers, runs),
        peers,
        runs,
        Recording(trail_of(w, "capsules")),
        resting,
        w.mesh_key,
        Slots(settings.capsule_runs_per_user, settings.capsule_runs),
    )
    return served(
        "capsules",
        add_CapsulesServiceServicer_to_server,
        Capsules(catalogue, running, runs),
        prepare=catalogue.first_look,
        loops=(catalogue.run, runs.prune),
        close=close,
    )
