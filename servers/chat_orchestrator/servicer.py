"""Chat orchestrator over gRPC: translates only."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from kari.chat_orchestrator.v1.chat_orchestrator_pb2 import (
    AnswerApprovalRequest,
    AnswerApprovalResponse,
    CallToolRequest,
    CallToolResponse,
    CancelTurnRequest,
    CancelTurnResponse,
    ListToolsRequest,
    ListToolsResponse,
    ReplayContextRequest,
    ReplayContextResponse,
    StartTurnRequest,
    StartTurnResponse,
)
from kari.chat_orchestrator.v1.chat_orchestrator_pb2_grpc import ChatOrchestratorServiceServicer
from servers.chat_orchestrator.outside import Outside
from servers.chat_orchestrator.replaying import Replaying
from servers.chat_orchestrator.turns import Turns
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context


class ChatOrchestrator(ChatOrchestratorServiceServicer):
    """Leads turns."""

    def __init__(self, turns: Turns, replaying: Replaying, outside: Outside) -> None:
        self._turns = turns
        self._outside = outside
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

    async def ListTools(self, request: ListToolsRequest, context: Context) -> ListToolsResponse:
        """A page of the tools; see the contract."""
        return await self._outside.list(request)

    async def CallTool(
        self, request: CallToolRequest, context: Context
    ) -> AsyncGenerator[CallToolResponse, None]:
        """Calls a tool outside of a turn; see the contract."""
        async with aclosing(self._outside.call(request)) as steps:
            async for step in steps:
                yield step

    async def AnswerApproval(
        self, request: AnswerApprovalRequest, context: Context
    ) -> AnswerApprovalResponse:
        """Answers whether a tool may run; see the contract."""
        return await self._turns.answer(request)
