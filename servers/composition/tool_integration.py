"""How tool_integration is put together."""

from functools import partial

from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceStub
from kari.code_execution.v1.code_execution_pb2_grpc import CodeExecutionServiceStub
from kari.conversation_search.v1.conversation_search_pb2_grpc import ConversationSearchServiceStub
from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceStub
from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceStub
from kari.tool_integration.v1.tool_integration_pb2_grpc import (
    add_ToolIntegrationServiceServicer_to_server,
)
from servers.composition.serving import closed, served
from servers.composition.trails import trail_of
from servers.runtime.bootstrap import Hosted
from servers.tool_integration import configured
from servers.tool_integration.built_in.ids import IDS
from servers.tool_integration.built_in.offers import BuiltIn, Peers
from servers.tool_integration.calling import Calling
from servers.tool_integration.capsules import Capsules
from servers.tool_integration.checking import Checking
from servers.tool_integration.limits import Limits
from servers.tool_integration.listing import Listing
from servers.tool_integration.mcp.attached import mcp_servers
from servers.tool_integration.recording import Recording
from servers.tool_integration.registry import Registry
from servers.tool_integration.servicer import ToolIntegration
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    stub = partial(w.stub, "tool_integration")
    peers = Peers(
        conversations=stub("conversation_search", ConversationSearchServiceStub),
        memories=stub("memory_processor", MemoryProcessorServiceStub),
        code=stub("code_execution", CodeExecutionServiceStub),
        files=stub("file_attachment", FileAttachmentServiceStub),
    )
    configuration = configured.read(w.settings, IDS)
    built_in = BuiltIn(configuration, peers)
    mcp = mcp_servers(configuration.mcp)
    for name in mcp.names:
        w.resources.add(f"mcp.{name}", partial(mcp.health, name), mcp.ping, required=False)
    sources = (built_in, Capsules(stub("capsules", CapsulesServiceStub)), mcp)
    registry = Registry(sources, configured.adjusting(configuration))
    recording = Recording(trail_of(w, "tool_integration"))
    calling = Calling(registry, Checking(Limits(w.redis), registry.unknown), recording)
    return served(
        "tool_integration",
        add_ToolIntegrationServiceServicer_to_server,
        ToolIntegration(Listing(registry), calling),
        loops=(mcp.run,),
        close=partial(closed, mcp.close, built_in.close),
    )
