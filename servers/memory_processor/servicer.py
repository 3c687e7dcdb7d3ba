"""Memory processor over gRPC: translates only."""

from kari.memory_processor.v1.memory_processor_pb2 import (
    RetrieveRequest,
    RetrieveResponse,
    SourceReport,
)
from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceServicer
from servers.memory_processor.retrieval import Retrieval, Retrieved
from servers.memory_processor.source import Asked
from servers.runtime.call import principal
from servers.runtime.durations import duration
from servers.runtime.grpc_types import Context


class MemoryProcessor(MemoryProcessorServiceServicer):
    """Asks every kind of memory at once."""

    def __init__(self, retrieval: Retrieval) -> None:
        self._retrieval = retrieval

    async def Retrieve(self, request: RetrieveRequest, context: Context) -> RetrieveResponse:
        """Candidates for a context; see the contract."""
        asked = Asked(
            principal().tenant_id,
            request.conversation_id,
            request.through_sequence,
            request.limit,
            request.query,
        )
        retrieved = await self._retrieval.retrieve(asked, request.sources)
        return RetrieveResponse(
            items=[item for each in retrieved for item in each.found.items],
            sources=[_report(each) for each in retrieved],
            degradations=[missing for each in retrieved for missing in each.found.degradations],
        )


def _report(retrieved: Retrieved) -> SourceReport:
    return SourceReport(
        source=retrieved.kind,
        items=len(retrieved.found.items),
        duration=duration(retrieved.seconds),
        skipped=retrieved.skipped,
    )
