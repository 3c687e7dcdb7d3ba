"""Memory processor over gRPC: translates only."""

from kari.conversation_models.v1.context_pb2 import MemorySource
from kari.memory_processor.v1.memory_processor_pb2 import (
    RetrieveRequest,
    RetrieveResponse,
    SourceReport,
)
from kari.memory_processor.v1.memory_processor_pb2_grpc import MemoryProcessorServiceServicer
from servers.memory_processor.candidates import short_term
from servers.memory_processor.retrieval import ShortTerm
from servers.runtime.call import principal
from servers.runtime.durations import duration
from servers.runtime.grpc_types import Context


class MemoryProcessor(MemoryProcessorServiceServicer):
    """Asks every kind of memory at once."""

    def __init__(self, short_term_memory: ShortTerm) -> None:
        self._short_term = short_term_memory

    async def Retrieve(self, request: RetrieveRequest, context: Context) -> RetrieveResponse:
        """Candidates for a context; see the contract."""
        recent = await self._short_term.recent(
            principal().tenant_id, request.conversation_id, request.through_sequence, request.limit
        )
        report = SourceReport(
            source=MemorySource.MEMORY_SOURCE_SHORT_TERM,
            items=len(recent.messages),
            duration=duration(recent.seconds),
            skipped=recent.skipped,
        )
        return RetrieveResponse(
            items=short_term(recent.messages), sources=[report], degradations=recent.degradations
        )
