"""Prompts of past turns, for those whose turns they were."""

from kari.context_integrator.v1.context_integrator_pb2 import (
    ReplayContextRequest,
    ReplayContextResponse,
)
from kari.conversation_manager.v1.conversation_manager_pb2 import GetTurnRequest
from kari.errors.v1.errors_pb2 import Reason
from servers.chat_orchestrator.peers import Peers
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound


class Replaying:
    """Guards prompts: they hold what only the sender of the message may read."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def replay(self, turn_id: str, who: Principal) -> ReplayContextResponse:
        """The prompt of a turn. NotFound unless the user takes part in its conversation and sent
        its message."""
        found = await self._peers.conversations.GetTurn(GetTurnRequest(turn_id=turn_id))
        if found.turn.user_id != who.user_id:
            raise NotFound(Reason.REASON_TURN_NOT_FOUND, "there is no such turn")
        return await self._peers.context.ReplayContext(ReplayContextRequest(turn_id=turn_id))
