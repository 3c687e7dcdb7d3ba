"""The methods that are about summaries: translate only."""

from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.production_memory.summaries import Summaries
from servers.production_memory.summary_claims import SummaryClaims
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context


class SummaryMethods:
    """Hands summaries out to be made, keeps and gives them; see the contract for every method."""

    def __init__(self, summaries: Summaries, claims: SummaryClaims) -> None:
        self._summaries = summaries
        self._claims = claims

    async def ClaimSummaries(
        self, request: contract.ClaimSummariesRequest, context: Context
    ) -> contract.ClaimSummariesResponse:
        """Leases summaries that are due, of every tenant."""
        return contract.ClaimSummariesResponse(tasks=await self._claims.claim(request))

    async def WriteSummary(
        self, request: contract.WriteSummaryRequest, context: Context
    ) -> contract.WriteSummaryResponse:
        """Keeps a summary."""
        kept = await self._summaries.write(principal().tenant_id, request.summary)
        self._claims.done()
        return contract.WriteSummaryResponse(summary=kept.summary, repeated_request=kept.repeated)

    async def ListSummaries(
        self, request: contract.ListSummariesRequest, context: Context
    ) -> contract.ListSummariesResponse:
        """A page of summaries."""
        summaries, token = await self._summaries.page(principal().tenant_id, request)
        return contract.ListSummariesResponse(summaries=summaries, next_page_token=token)

    async def GetSummaries(
        self, request: contract.GetSummariesRequest, context: Context
    ) -> contract.GetSummariesResponse:
        """Summaries by id."""
        found = await self._summaries.by_id(principal().tenant_id, request.summary_ids)
        return contract.GetSummariesResponse(summaries=found)
