"""How instruction_processor is put together."""

from functools import partial

from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import ChatOrchestratorServiceStub
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_search.v1.conversation_search_pb2_grpc import ConversationSearchServiceStub
from kari.instruction_processor.v1.instruction_processor_pb2_grpc import (
    add_InstructionProcessorServiceServicer_to_server,
)
from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceStub
from servers.composition.serving import served
from servers.instruction_processor.applying import Applying
from servers.instruction_processor.memories import Memories
from servers.instruction_processor.models import Models
from servers.instruction_processor.processing import Processing
from servers.instruction_processor.questions import Questions
from servers.instruction_processor.searching import Searching
from servers.instruction_processor.servicer import InstructionProcessor
from servers.runtime.bootstrap import Hosted
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    stub = partial(w.stub, "instruction_processor")
    conversations = stub("conversation_manager", ConversationManagerServiceStub)
    orchestrator = stub("chat_orchestrator", ChatOrchestratorServiceStub)
    models = Models(stub("model_factory", ModelFactoryServiceStub))
    memories = Memories(conversations)
    search = stub("conversation_search", ConversationSearchServiceStub)
    searching = Searching(search, conversations)
    questions = Questions(conversations, models, memories, searching)
    applying = Applying(conversations, questions, memories)
    processing = Processing(applying, models, orchestrator)
    return served(
        "instruction_processor",
        add_InstructionProcessorServiceServicer_to_server,
        InstructionProcessor(processing, conversations),
    )
