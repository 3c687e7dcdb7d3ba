"""The servers that runs of capsules call."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )
    from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceAsyncStub
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub
    from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceAsyncStub


@dataclass(frozen=True)
class Peers:
    """Their stubs."""

    models: "ModelFactoryServiceAsyncStub"
    memory: "MemoryProcessorServiceAsyncStub"
    search: "ConversationSearchServiceAsyncStub"
    conversations: "ConversationManagerServiceAsyncStub"
    tools: "ToolIntegrationServiceAsyncStub"
