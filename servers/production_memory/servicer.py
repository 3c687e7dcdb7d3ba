"""Production memory over gRPC: translates only."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from kari.model_factory.v1.model_factory_pb2 import EmbedRequest
from kari.production_memory.v1 import jobs_pb2
from kari.production_memory.v1 import production_memory_pb2 as contract
from servers.production_memory.approving import Approving
from servers.production_memory.backlog import Backlog
from servers.production_memory.beginning import Beginning
from servers.production_memory.ending import Ending
from servers.production_memory.files import Files
from servers.production_memory.importing import Importing
from servers.production_memory.leading import Leading
from servers.production_memory.reading import Reading
from servers.production_memory.recording import Recording
from servers.production_memory.reindexing import Reindexing
from servers.production_memory.servicer_files import FileMethods
from servers.production_memory.servicer_summaries import SummaryMethods
from servers.production_memory.summaries import Summaries
from servers.production_memory.summary_claims import SummaryClaims
from servers.production_memory.vault.servicer import Memories
from servers.production_memory.vault.vault import Vault
from servers.runtime.call import current, principal
from servers.runtime.grpc_types import Context

if TYPE_CHECKING:
    from kari.model_factory.v1.model_factory_pb2_grpc import ModelFactoryServiceAsyncStub


class ProductionMemory(SummaryMethods, FileMethods, Memories):
    """Keeps turns and messages, memories, summaries and the text of files beside
    them; see the contract for every
    method."""

    def __init__(
        self,
        beginning: Beginning,
        leading: Leading,
        ending: Ending,
        reading: Reading,
        recording: Recording,
        approving: Approving,
        importing: Importing,
        reindexing: Reindexing,
        backlog: Backlog,
        models: "ModelFactoryServiceAsyncStub",
        vault: Vault,
        summaries: Summaries,
        summary_claims: SummaryClaims,
        files: Files,
    ) -> None:
        Memories.__init__(self, vault)
        SummaryMethods.__init__(self, summaries, summary_claims)
        FileMethods.__init__(self, files)
        self._importing = importing
        self._reindexing = reindexing
        self._backlog = backlog
        self._models = models
        self._beginning = beginning
        self._leading = leading
        self._ending = ending
        self._reading = reading
        self._recording = recording
        self._approving = approving

    async def BeginTurn(
        self, request: contract.BeginTurnRequest, context: Context
    ) -> contract.BeginTurnResponse:
        """Commits a message and its turn."""
        begun = await self._beginning.begin(request, principal(), current().correlation_id)
        return contract.BeginTurnResponse(
            led_turn=begun.led_turn,
            repeated_request=begun.repeated,
            interrupted_turn_ids=begun.interrupted,
        )

    async def ClaimTurn(
        self, request: contract.ClaimTurnRequest, context: Context
    ) -> contract.ClaimTurnResponse:
        """Leases the turn that comes next."""
        led = await self._leading.claim(
            principal().tenant_id, request.conversation_id, request.lease
        )
        return contract.ClaimTurnResponse(led_turn=led)

    async def ClaimAbandonedTurns(
        self, request: contract.ClaimAbandonedTurnsRequest, context: Context
    ) -> contract.ClaimAbandonedTurnsResponse:
        """Leases turns that nobody leads, of every tenant."""
        led = await self._leading.claim_abandoned(request.lease, request.limit)
        return contract.ClaimAbandonedTurnsResponse(led_turns=led)

    async def RenewLease(
        self, request: contract.RenewLeaseRequest, context: Context
    ) -> contract.RenewLeaseResponse:
        """Keeps a turn."""
        called_off = await self._leading.renew(principal().tenant_id, request)
        return contract.RenewLeaseResponse(cancel_requested=called_off)

    async def AdvanceTurn(
        self, request: contract.AdvanceTurnRequest, context: Context
    ) -> contract.AdvanceTurnResponse:
        """Records that the model writes."""
        called_off = await self._leading.advance(principal().tenant_id, request)
        return contract.AdvanceTurnResponse(cancel_requested=called_off)

    async def FinishTurn(
        self, request: contract.FinishTurnRequest, context: Context
    ) -> contract.FinishTurnResponse:
        """Ends a turn."""
        ended = await self._ending.finish(principal().tenant_id, request)
        return contract.FinishTurnResponse(
            turn=ended.turn,
            answer=ended.answer,
            next_led_turn=ended.next_led,
            repeated_request=ended.repeated,
        )

    async def ImportMessages(
        self, request: contract.ImportMessagesRequest, context: Context
    ) -> contract.ImportMessagesResponse:
        """Adds messages that were said elsewhere."""
        imported = await self._importing.run(request, principal())
        return contract.ImportMessagesResponse(
            message_ids=imported.message_ids, repeated_request=imported.repeated
        )

    async def Reindex(
        self, request: contract.ReindexRequest, context: Context
    ) -> AsyncGenerator[contract.ReindexResponse, None]:
        """Makes all vectors again."""
        async with aclosing(self._reindexing.run(request.page_token)) as steps:
            async for step in steps:
                yield step

    async def Embed(
        self, request: contract.EmbedRequest, context: Context
    ) -> contract.EmbedResponse:
        """Vectors of texts that are looked for."""
        response = await self._models.Embed(EmbedRequest(texts=request.texts))
        return contract.EmbedResponse(
            embeddings=[contract.Embedding(values=each.values) for each in response.embeddings]
        )

    async def CountJobs(
        self, request: jobs_pb2.CountJobsRequest, context: Context
    ) -> jobs_pb2.CountJobsResponse:
        """How much work waits."""
        return jobs_pb2.CountJobsResponse(counts=await self._backlog.counts())

    async def ListFailedJobs(
        self, request: jobs_pb2.ListFailedJobsRequest, context: Context
    ) -> jobs_pb2.ListFailedJobsResponse:
        """A page of the jobs that were set aside."""
        jobs, token = await self._backlog.failed(request.page_size, request.page_token)
        return jobs_pb2.ListFailedJobsResponse(jobs=jobs, next_page_token=token)

    async def RetryJobs(
        self, request: jobs_pb2.RetryJobsRequest, context: Context
    ) -> jobs_pb2.RetryJobsResponse:
        """Puts them back."""
        return jobs_pb2.RetryJobsResponse(retried=await self._backlog.retry(request.job_ids))

    async def DiscardJobs(
        self, request: jobs_pb2.DiscardJobsRequest, context: Context
    ) -> jobs_pb2.DiscardJobsResponse:
        """Drops them."""
        return jobs_pb2.DiscardJobsResponse(discarded=await self._backlog.discard(request.job_ids))

    async def RecordToolSteps(
        self, request: contract.RecordToolStepsRequest, context: Context
    ) -> contract.RecordToolStepsResponse:
        """Keeps how calls of tools stand."""
        called_off = await self._recording.record(principal().tenant_id, request)
        return contract.RecordToolStepsResponse(cancel_requested=called_off)

    async def AnswerApproval(
        self, request: contract.AnswerApprovalRequest, context: Context
    ) -> contract.AnswerApprovalResponse:
        """Keeps the user's answer."""
        answered = await self._approving.answer(request, principal())
        return contract.AnswerApprovalResponse(
            turn=answered.turn,
            led_turn=answered.led_turn,
            repeated_request=answered.repeated,
            approved=answered.approved,
        )

    async def ListToolSteps(
        self, request: contract.ListToolStepsRequest, context: Context
    ) -> contract.ListToolStepsResponse:
        """The calls of a turn."""
        steps = await self._recording.steps(principal().tenant_id, request.turn_id)
        return contract.ListToolStepsResponse(steps=steps)

    async def RequestCancel(
        self, request: contract.RequestCancelRequest, context: Context
    ) -> contract.RequestCancelResponse:
        """Calls a turn off."""
        turn = await self._ending.cancel(principal().tenant_id, request.turn_id)
        return contract.RequestCancelResponse(turn=turn)

    async def GetTurn(
        self, request: contract.GetTurnRequest, context: Context
    ) -> contract.GetTurnResponse:
        """One turn."""
        turn, answer = await self._reading.turn(principal().tenant_id, request.turn_id)
        return contract.GetTurnResponse(turn=turn, answer=answer)

    async def GetTurnManifest(
        self, request: contract.GetTurnManifestRequest, context: Context
    ) -> contract.GetTurnManifestResponse:
        """How a turn's prompt came about."""
        turn, manifest = await self._reading.manifest(principal().tenant_id, request.turn_id)
        return contract.GetTurnManifestResponse(turn=turn, manifest=manifest)

    async def ListMessages(
        self, request: contract.ListMessagesRequest, context: Context
    ) -> contract.ListMessagesResponse:
        """A page of messages."""
        page = await self._reading.page(principal().tenant_id, request)
        return contract.ListMessagesResponse(
            messages=page.messages,
            next_page_token=page.next_page_token,
            active_turn=page.active_turn,
        )

    async def GetMessages(
        self, request: contract.GetMessagesRequest, context: Context
    ) -> contract.GetMessagesResponse:
        """Messages by id."""
        messages = await self._reading.by_id(
            principal().tenant_id, request.conversation_id, request.message_ids
        )
        return contract.GetMessagesResponse(messages=messages)

    async def ListRecentMessages(
        self, request: contract.ListRecentMessagesRequest, context: Context
    ) -> contract.ListRecentMessagesResponse:
        """The latest messages up to a sequence."""
        messages = await self._reading.recent(
            principal().tenant_id, request.conversation_id, request.through_sequence, request.limit
        )
        return contract.ListRecentMessagesResponse(messages=messages)
