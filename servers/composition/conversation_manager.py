"""How conversation_manager is put together."""

from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    add_ConversationManagerServiceServicer_to_server,
)
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceStub
from servers.composition.serving import served
from servers.conversation_manager.conversations import Conversations
from servers.conversation_manager.history import History
from servers.conversation_manager.memories import Memories
from servers.conversation_manager.proposals import Proposals
from servers.conversation_manager.servicer import ConversationManager
from servers.conversation_manager.updating import Updating
from servers.runtime.bootstrap import Hosted
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server."""
    database = w.database("conversation_manager")
    stored = w.stub("conversation_manager", "production_memory", ProductionMemoryServiceStub)
    history = History(database, stored)
    updating = Updating(database, history)
    return served(
        "conversation_manager",
        add_ConversationManagerServiceServicer_to_server,
        ConversationManager(
            Conversations(database),
            updating,
            Proposals(database, updating),
            history,
            Memories(history, stored),
        ),
    )
