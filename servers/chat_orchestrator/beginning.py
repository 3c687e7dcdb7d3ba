"""What a turn begins with: the request that commits it, and the call under which it is led."""

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import StartTurnRequest
from kari.production_memory.v1.production_memory_pb2 import BeginTurnRequest, Lease, LedTurn
from servers.runtime.call import Call, current
from servers.runtime.mesh_key import MeshKey

NAME = "chat_orchestrator"


def begin_request(request: StartTurnRequest, lease: Lease) -> BeginTurnRequest:
    """What commits a message and its turn, claimed by this lease."""
    return BeginTurnRequest(
        conversation_id=request.conversation_id,
        content=request.content,
        request_id=request.request_id,
        reply_to_message_id=request.reply_to_message_id,
        mentioned_user_ids=request.mentioned_user_ids,
        when_busy=request.when_busy,
        model=request.model,
        lease=lease,
        instructions=request.instructions,
        file_ids=request.file_ids,
    )


def call_of(led: LedTurn, mesh_key: MeshKey) -> Call:
    """The call under which a turn is led: it outlives the request and the user's token."""
    return Call(
        led.turn.correlation_id or current().correlation_id,
        principal=mesh_key.delegate(
            NAME,
            user_id=led.turn.user_id,
            tenant_id=led.tenant_id,
            roles=frozenset(led.roles),
        ),
        turn_id=led.turn.id,
    )
