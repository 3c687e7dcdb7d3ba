"""Summarizer over gRPC: translates only."""

from kari.summarizer.v1.summarizer_pb2 import SummarizeRequest, SummarizeResponse
from kari.summarizer.v1.summarizer_pb2_grpc import SummarizerServiceServicer
from servers.runtime.grpc_types import Context
from servers.summarizer.passages import Passage
from servers.summarizer.summarizing import Summarizing


class Summarizer(SummarizerServiceServicer):
    """Summarizes texts; see the contract."""

    def __init__(self, summarizing: Summarizing) -> None:
        self._summarizing = summarizing

    async def Summarize(self, request: SummarizeRequest, context: Context) -> SummarizeResponse:
        """A summary that is kept nowhere."""
        passages = [Passage(each.speaker, each.text) for each in request.passages]
        made = await self._summarizing.of_text(passages, extractive=request.extractive)
        return SummarizeResponse(summary=made.summary, degradations=made.degradations)
