"""An instruction processor that does what a test says: a real server of the contract."""

# ruff: noqa: N802  # rpc methods are named as the contract names them

from collections.abc import Callable
from functools import partial

from kari.conversation_models.v1.instruction_pb2 import Command, InstructionResult
from kari.instruction_processor.v1 import instruction_processor_pb2 as pb
from kari.instruction_processor.v1 import instruction_processor_pb2_grpc
from servers.runtime.bootstrap import Hosted
from servers.runtime.errors import KariError
from servers.runtime.grpc_types import Context


class ScriptedInstructions(instruction_processor_pb2_grpc.InstructionProcessorServiceServicer):
    """Calls `effect` with each request, answers `response`, or raises `failure`."""

    def __init__(self) -> None:
        self.processed: list[pb.ProcessRequest] = []
        self.response = pb.ProcessResponse()
        self.failure: KariError | None = None
        self.effect: Callable[[], None] = lambda: None

    def hosted(self) -> Hosted:
        (service,) = pb.DESCRIPTOR.services_by_name.values()
        add = instruction_processor_pb2_grpc.add_InstructionProcessorServiceServicer_to_server
        return Hosted("instruction_processor", service, partial(add, self))

    async def Process(self, request: pb.ProcessRequest, context: Context) -> pb.ProcessResponse:
        self.processed.append(request)
        self.effect()
        if self.failure is not None:
            raise self.failure
        return self.response

    async def AnswerProposal(
        self, request: pb.AnswerProposalRequest, context: Context
    ) -> pb.AnswerProposalResponse:
        self.effect()
        text = "yes" if request.accepted else "no"
        return pb.AnswerProposalResponse(result=InstructionResult(text=text))

    async def ListCommands(
        self, request: pb.ListCommandsRequest, context: Context
    ) -> pb.ListCommandsResponse:
        return pb.ListCommandsResponse(commands=[Command(name="help", allowed=True)])
