"""Telling the end of a turn that was called off while nobody led it."""

import structlog

from kari.conversation_models.v1.turn_pb2 import Cancelled, Turn, TurnEvent
from kari.production_memory.v1.production_memory_pb2 import GetTurnRequest
from servers.chat_orchestrator import turn
from servers.chat_orchestrator.peers import Peers, patiently
from servers.chat_orchestrator.publisher import Publisher
from servers.runtime.errors import KariError

PATIENCE_SECONDS = 5.0

log = structlog.get_logger("kari.chat_orchestrator")


async def tell_cancelled(peers: Peers, turn_id: str) -> Turn | None:
    """Ends the stream of a turn that was called off, with what is kept of its answer. The turn, or
    None if somebody leads it, whose part that is."""
    request = GetTurnRequest(turn_id=turn_id)
    try:
        stored = await patiently(lambda: peers.memory.GetTurn(request), PATIENCE_SECONDS)
    except KariError as error:
        log.warning("end of a turn could not be told", turn_id=turn_id, error=error.message)
        return None
    if stored.turn.state != turn.CANCELLED:
        return None
    publisher = Publisher(peers, turn_id)
    opened = await publisher.open()
    if not opened.ended:
        answer = stored.answer if stored.HasField("answer") else None
        publisher.put(TurnEvent(cancelled=Cancelled(message=answer)))
    await publisher.close()
    return stored.turn
