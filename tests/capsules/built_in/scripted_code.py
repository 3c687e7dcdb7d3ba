"""Code execution that does what the code says in one word: `hang`, or else it is done."""

import asyncio
from functools import partial
from typing import Any

from kari.code_execution.v1.code_execution_pb2 import RunOutcome, RunRequest, RunResponse
from kari.code_execution.v1.code_execution_pb2_grpc import (
    CodeExecutionServiceServicer,
    add_CodeExecutionServiceServicer_to_server,
)
from servers.runtime.bootstrap import Hosted
from servers.wiring import contract_of


class ScriptedCode(CodeExecutionServiceServicer):  # type: ignore[misc]
    """Counts its runs; `begun` is set when one hangs."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.begun = asyncio.Event()

    def forget(self) -> None:
        """As if nothing had run."""
        self.ran.clear()
        self.begun.clear()

    def hosted(self) -> Hosted:
        """To be served beside the servers of a test."""
        register = partial(add_CodeExecutionServiceServicer_to_server, self)
        return Hosted("code_execution", contract_of("code_execution"), register)

    async def Run(self, request: RunRequest, context: Any) -> RunResponse:  # noqa: N802
        """Ends well, if it ends."""
        self.ran.append(request.code)
        if request.code == "hang":
            self.begun.set()
            await asyncio.Event().wait()
        return RunResponse(outcome=RunOutcome.RUN_OUTCOME_DONE, stdout=request.code)
