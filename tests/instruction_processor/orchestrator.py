"""A chat orchestrator that starts turns and leads none: a real server of the contract."""

# ruff: noqa: N802  # rpc methods are named as the contract names them

from functools import partial

from kari.chat_orchestrator.v1 import chat_orchestrator_pb2 as pb
from kari.chat_orchestrator.v1 import chat_orchestrator_pb2_grpc
from kari.conversation_models.v1.turn_pb2 import StreamPosition, Turn, TurnState
from servers.runtime.bootstrap import Hosted
from servers.runtime.call import current, principal
from servers.runtime.errors import KariError
from servers.runtime.grpc_types import Context
from servers.runtime.ids import new_id


class ScriptedOrchestrator(chat_orchestrator_pb2_grpc.ChatOrchestratorServiceServicer):
    """Remembers what it was asked; `failure` is raised instead if it is set."""

    def __init__(self) -> None:
        self.started: list[pb.StartTurnRequest] = []
        self.cancelled: list[str] = []
        self.correlation_ids: list[str] = []
        self.failure: KariError | None = None
        self._turns: dict[str, Turn] = {}

    def hosted(self) -> Hosted:
        (service,) = pb.DESCRIPTOR.services_by_name.values()
        add = chat_orchestrator_pb2_grpc.add_ChatOrchestratorServiceServicer_to_server
        return Hosted("chat_orchestrator", service, partial(add, self))

    async def StartTurn(
        self, request: pb.StartTurnRequest, context: Context
    ) -> pb.StartTurnResponse:
        if self.failure is not None:
            raise self.failure
        self.correlation_ids.append(current().correlation_id)
        if request.request_id not in self._turns:
            self.started.append(request)
            self._turns[request.request_id] = self._turn(request)
        turn = self._turns[request.request_id]
        return pb.StartTurnResponse(turn=turn, position=StreamPosition(stream_id=turn.id))

    async def CancelTurn(
        self, request: pb.CancelTurnRequest, context: Context
    ) -> pb.CancelTurnResponse:
        self.cancelled.append(request.turn_id)
        turn = Turn(id=request.turn_id, state=TurnState.TURN_STATE_CANCELLED)
        return pb.CancelTurnResponse(turn=turn)

    def _turn(self, request: pb.StartTurnRequest) -> Turn:
        return Turn(
            id=new_id("turn"),
            conversation_id=request.conversation_id,
            request_id=request.request_id,
            state=TurnState.TURN_STATE_ACCEPTED,
            user_id=principal().user_id,
            correlation_id=current().correlation_id,
        )
