"""Capsules over gRPC: translates only."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from kari.capsules.v1.capsules_pb2 import (
    ExecuteRequest,
    ExecuteResponse,
    ListCapsulesRequest,
    ListCapsulesResponse,
    ListRunsRequest,
    ListRunsResponse,
)
from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceServicer
from servers.capsules.catalogue import Catalogue
from servers.capsules.listing import capsule_of, page_for, run_of
from servers.capsules.running import Running
from servers.capsules.store import Runs
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context


class Capsules(CapsulesServiceServicer):
    """Discovers capsules, contained skills, and runs them."""

    def __init__(self, catalogue: Catalogue, running: Running, runs: Runs) -> None:
        self._catalogue = catalogue
        self._running = running
        self._runs = runs

    async def ListCapsules(
        self, request: ListCapsulesRequest, context: Context
    ) -> ListCapsulesResponse:
        """A page of capsules."""
        entries, token = page_for(
            self._catalogue.all(), principal(), request.page_size, request.page_token
        )
        return ListCapsulesResponse(capsules=map(capsule_of, entries), next_page_token=token)

    async def Execute(
        self, request: ExecuteRequest, context: Context
    ) -> AsyncGenerator[ExecuteResponse, None]:
        """Runs a capsule."""
        async with aclosing(self._running.run(request, principal())) as steps:
            async for step in steps:
                yield step

    async def ListRuns(self, request: ListRunsRequest, context: Context) -> ListRunsResponse:
        """A page of runs."""
        rows, token = await self._runs.page(
            principal(), request.capsule_id, request.page_size, request.page_token
        )
        return ListRunsResponse(runs=map(run_of, rows), next_page_token=token)
