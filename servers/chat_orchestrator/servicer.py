"""Chat orchestrator over gRPC: translates only."""

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import (
    CancelTurnRequest,
    CancelTurnResponse,
    ReplayContextRequest,
    ReplayContextResponse,
    StartTurnRequest,
    StartTurnResponse,
)
from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import ChatOrchestratorServiceServicer
from servers.chat_orchestrator.replaying import Replaying
from servers.chat_orchestrator.turns import Turns
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context


class ChatOrchestrator(ChatOrchestratorServiceServicer):
    """Leads turns."""

    def __init__(self, turns: Turns, replaying: Replaying) -> None:
        self._turns = turns
        self._replaying = replaying

    async def StartTurn(self, request: StartTurnRequest, context: Context) -> StartTurnResponse:
        """Commits a message and starts its turn; see the contract."""
        turn, position = await self._turns.begin(request)
        return StartTurnResponse(turn=turn, position=position)

    async def CancelTurn(self, request: CancelTurnRequest, context: Context) -> CancelTurnResponse:
        """Calls a turn off; see the contract."""
        return CancelTurnResponse(turn=await self._turns.cancel(request.turn_id))

    async def ReplayContext(
        self, request: ReplayContextRequest, context: Context
    ) -> ReplayContextResponse:
        """The prompt of a past turn; see the contract."""
        replayed = await self._replaying.replay(request.turn_id, principal())
        return ReplayContextResponse(
            bundle=replayed.bundle if replayed.HasField("bundle") else None,
            identical=replayed.identical,
            missing_ids=replayed.missing_ids,
        )
