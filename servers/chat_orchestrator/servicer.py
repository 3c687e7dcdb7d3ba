"""Chat orchestrator over gRPC: translates only."""

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import (
    CancelTurnRequest,
    CancelTurnResponse,
    StartTurnRequest,
    StartTurnResponse,
)
from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import ChatOrchestratorServiceServicer
from servers.chat_orchestrator.turns import Turns
from servers.runtime.grpc_types import Context


class ChatOrchestrator(ChatOrchestratorServiceServicer):
    """Leads turns."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    async def StartTurn(self, request: StartTurnRequest, context: Context) -> StartTurnResponse:
        """Commits a message and starts its turn; see the contract."""
        turn, position = await self._turns.begin(request)
        return StartTurnResponse(turn=turn, position=position)

    async def CancelTurn(self, request: CancelTurnRequest, context: Context) -> CancelTurnResponse:
        """Calls a turn off; see the contract."""
        return CancelTurnResponse(turn=await self._turns.cancel(request.turn_id))
