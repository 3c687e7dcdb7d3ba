"""Audit over gRPC: translates only."""

from collections.abc import AsyncGenerator

from kari.audit.v1.audit_pb2 import (
    AppendRequest,
    AppendResponse,
    ListRecordsRequest,
    ListRecordsResponse,
    VerifyRequest,
    VerifyResponse,
)
from kari.audit.v1.audit_pb2_grpc import AuditServiceServicer
from servers.audit.appending import Appending
from servers.audit.reading import Reading
from servers.runtime.call import current
from servers.runtime.grpc_types import Context


class Audit(AuditServiceServicer):
    """Keeps the trail; see the contract."""

    def __init__(self, appending: Appending, reading: Reading) -> None:
        self._appending = appending
        self._reading = reading

    async def Append(self, request: AppendRequest, context: Context) -> AppendResponse:
        """Adds records."""
        sequences = await self._appending.append(current().caller, request.entries)
        return AppendResponse(sequences=sequences)

    async def ListRecords(
        self, request: ListRecordsRequest, context: Context
    ) -> ListRecordsResponse:
        """A page of records."""
        return await self._reading.page(request)

    async def Verify(
        self, request: VerifyRequest, context: Context
    ) -> AsyncGenerator[VerifyResponse, None]:
        """Looks through the whole trail."""
        async for step in self._reading.verify():
            yield step
