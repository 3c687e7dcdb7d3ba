"""Code execution over gRPC: translates only."""

from kari.code_execution.v1.code_execution_pb2 import (
    ListRunnersRequest,
    ListRunnersResponse,
    RunRequest,
    RunResponse,
)
from kari.code_execution.v1.code_execution_pb2_grpc import CodeExecutionServiceServicer
from servers.code_execution.running import Running
from servers.runtime.grpc_types import Context


class CodeExecution(CodeExecutionServiceServicer):
    """Runs code of users and models in a sandbox; see the contract."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def Run(self, request: RunRequest, context: Context) -> RunResponse:
        """Runs a program."""
        return await self._running.run(request)

    async def ListRunners(
        self, request: ListRunnersRequest, context: Context
    ) -> ListRunnersResponse:
        """The runners."""
        return ListRunnersResponse(runners=await self._running.states())
