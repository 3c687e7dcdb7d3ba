"""The peers of the hub."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import (
        ChatOrchestratorServiceAsyncStub,
    )
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )
    from kari.conversation_search.v1.conversation_search_pb2_grpc import (
        ConversationSearchServiceAsyncStub,
    )
    from kari.hook_enabled_file.v1.hook_enabled_file_pb2_grpc import (
        HookEnabledFileServiceAsyncStub,
    )
    from kari.instruction_processor.v1.instruction_processor_pb2_grpc import (
        InstructionProcessorServiceAsyncStub,
    )
    from kari.stream_processor.v1.stream_processor_pb2_grpc import StreamProcessorServiceAsyncStub


@dataclass(frozen=True)
class Peers:
    """Stubs of everything that the hub passes events on to."""

    instructions: "InstructionProcessorServiceAsyncStub"
    orchestrator: "ChatOrchestratorServiceAsyncStub"
    streams: "StreamProcessorServiceAsyncStub"
    conversations: "ConversationManagerServiceAsyncStub"
    search: "ConversationSearchServiceAsyncStub"
    files: "HookEnabledFileServiceAsyncStub"
