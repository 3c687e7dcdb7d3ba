"""Prompts of past turns, for those whose turns they were."""

import asyncio

import grpc

from kari.context_integrator.v1.context_integrator_pb2 import (
    ReplayContextRequest,
    ReplayContextResponse,
)
from kari.conversation_manager.v1.conversation_manager_pb2 import (
    GetConversationRequest,
    GetTurnManifestRequest,
)
from kari.errors.v1.errors_pb2 import Reason
from servers.chat_orchestrator.peers import Peers
from servers.runtime.call import Principal
from servers.runtime.errors import NotFound


class Replaying:
    """Guards prompts: they hold what only the sender of the message may read."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def replay(self, turn_id: str, who: Principal) -> ReplayContextResponse:
        """The prompt of a turn, without what it quotes from conversations in which the user takes
        no part any more. NotFound unless the user takes part in the turn's own and sent its
        message."""
        found = await self._peers.conversations.GetTurnManifest(
            GetTurnManifestRequest(turn_id=turn_id)
        )
        if found.turn.user_id != who.user_id:
            raise NotFound(Reason.REASON_TURN_NOT_FOUND, "there is no such turn")
        quoted = sorted({c.conversation_id for c in found.manifest.candidates if c.conversation_id})
        readable = await asyncio.gather(*map(self._is_readable, quoted))
        withheld = [id_ for id_, may in zip(quoted, readable, strict=True) if not may]
        return await self._peers.context.ReplayContext(
            ReplayContextRequest(turn_id=turn_id, withheld_conversation_ids=withheld)
        )

    async def _is_readable(self, conversation_id: str) -> bool:
        try:
            await self._peers.conversations.GetConversation(
                GetConversationRequest(conversation_id=conversation_id)
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True
