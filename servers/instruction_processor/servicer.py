"""Instruction processor over gRPC: translates only."""

from typing import TYPE_CHECKING

from kari.conversation_manager.v1 import conversation_manager_pb2
from kari.conversation_models.v1 import instruction_pb2
from kari.instruction_processor.v1.instruction_processor_pb2 import (
    AnswerProposalRequest,
    AnswerProposalResponse,
    ListCommandsRequest,
    ListCommandsResponse,
    ProcessRequest,
    ProcessResponse,
)
from kari.instruction_processor.v1.instruction_processor_pb2_grpc import (
    InstructionProcessorServiceServicer,
)
from servers.instruction_processor.answers import answered
from servers.instruction_processor.commands import COMMANDS, Command
from servers.instruction_processor.processing import Processing
from servers.instruction_processor.questions import may_use
from servers.runtime.grpc_types import Context

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )


class InstructionProcessor(InstructionProcessorServiceServicer):
    """Carries out what users tell the runtime rather than the model."""

    def __init__(
        self, processing: Processing, conversations: "ConversationManagerServiceAsyncStub"
    ) -> None:
        self._processing = processing
        self._conversations = conversations

    async def Process(self, request: ProcessRequest, context: Context) -> ProcessResponse:
        """Does commands, then starts the turn of the rest; see the contract."""
        processed = await self._processing.process(request)
        started = processed.started
        return ProcessResponse(
            results=processed.results,
            turn=started.turn if started else None,
            position=started.position if started else None,
        )

    async def AnswerProposal(
        self, request: AnswerProposalRequest, context: Context
    ) -> AnswerProposalResponse:
        """Confirms or declines; see the contract."""
        response = await self._conversations.AnswerProposal(
            conversation_manager_pb2.AnswerProposalRequest(
                conversation_id=request.conversation_id,
                proposal_id=request.proposal_id,
                accepted=request.accepted,
            )
        )
        return AnswerProposalResponse(result=answered(response.changes, accepted=request.accepted))

    async def ListCommands(
        self, request: ListCommandsRequest, context: Context
    ) -> ListCommandsResponse:
        """All commands; see the contract."""
        return ListCommandsResponse(commands=map(_listed, COMMANDS.values()))


def _listed(command: Command) -> instruction_pb2.Command:
    return instruction_pb2.Command(
        name=command.name,
        usage=command.usage,
        summary=command.summary,
        required_roles=command.required_roles(),
        requires_confirmation=command.confirmed,
        choices=command.choices,
        allowed=may_use(command),
    )
