"""The rpcs of memories over gRPC: translates only."""

from kari.conversation_models.v1.memory_pb2 import RememberOutcome
from kari.production_memory.v1 import production_memory_pb2 as contract
from kari.production_memory.v1.production_memory_pb2_grpc import ProductionMemoryServiceServicer
from servers.production_memory.vault.memory import memory_of, receipt_of
from servers.production_memory.vault.vault import Vault
from servers.runtime.call import principal
from servers.runtime.grpc_types import Context


class Memories(ProductionMemoryServiceServicer):
    """NeuroVault and NeuroRecall; see the contract for every method."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def Remember(
        self, request: contract.RememberRequest, context: Context
    ) -> contract.RememberResponse:
        """Remembers a statement."""
        done = await self._vault.remembering.remember(request, principal())
        return contract.RememberResponse(
            memory=memory_of(done.row) if done.row else None,
            outcome=RememberOutcome.Value(f"REMEMBER_OUTCOME_{done.outcome.upper()}"),
            replaced=memory_of(done.replaced) if done.replaced else None,
        )

    async def ListMemories(
        self, request: contract.ListMemoriesRequest, context: Context
    ) -> contract.ListMemoriesResponse:
        """A page of memories."""
        memories, token = await self._vault.listing.page(request, principal())
        return contract.ListMemoriesResponse(memories=memories, next_page_token=token)

    async def CorrectMemory(
        self, request: contract.CorrectMemoryRequest, context: Context
    ) -> contract.CorrectMemoryResponse:
        """Puts another statement in the place of a memory."""
        done = await self._vault.remembering.correct(request, principal())
        return contract.CorrectMemoryResponse(
            memory=memory_of(done.row) if done.row else None,
            replaced=memory_of(done.replaced) if done.replaced else None,
        )

    async def ForgetMemories(
        self, request: contract.ForgetMemoriesRequest, context: Context
    ) -> contract.ForgetMemoriesResponse:
        """Erases memories."""
        receipt = await self._vault.forgetting.forget(request, principal())
        return contract.ForgetMemoriesResponse(receipt=receipt_of(receipt))

    async def GetForgetReceipt(
        self, request: contract.GetForgetReceiptRequest, context: Context
    ) -> contract.GetForgetReceiptResponse:
        """A receipt as it stands."""
        receipt = await self._vault.forgetting.receipt(request.receipt_id, principal())
        return contract.GetForgetReceiptResponse(receipt=receipt_of(receipt))

    async def RecallMemories(
        self, request: contract.RecallMemoriesRequest, context: Context
    ) -> contract.RecallMemoriesResponse:
        """The most relevant memories."""
        memories = await self._vault.recalling.memories(request, principal())
        return contract.RecallMemoriesResponse(memories=memories)

    async def RecallProcedures(
        self, request: contract.RecallProceduresRequest, context: Context
    ) -> contract.RecallProceduresResponse:
        """What worked in such cases."""
        procedures = await self._vault.recalling.procedures(request, principal())
        return contract.RecallProceduresResponse(procedures=procedures)

    async def GetMemories(
        self, request: contract.GetMemoriesRequest, context: Context
    ) -> contract.GetMemoriesResponse:
        """Memories by id."""
        memories = await self._vault.listing.by_id(request.memory_ids, principal())
        return contract.GetMemoriesResponse(memories=memories)
