"""What is remembered of a user: that they may refer to a conversation is checked here, production
memory has the memories and knows whose they are."""

from typing import TYPE_CHECKING

from kari.conversation_manager.v1 import conversation_manager_pb2 as contract
from kari.production_memory.v1 import production_memory_pb2 as stored
from servers.conversation_manager.history import History
from servers.runtime.call import Principal

if TYPE_CHECKING:
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )


class Memories:
    """Passes on what users ask of their memories."""

    def __init__(
        self, history: History, production_memory: "ProductionMemoryServiceAsyncStub"
    ) -> None:
        self._history = history
        self._memory = production_memory

    async def remember(
        self, request: contract.RememberRequest, who: Principal
    ) -> contract.RememberResponse:
        """Keeps a statement. NotFound if it refers to messages that the user cannot read."""
        if request.conversation_id:
            await self._history.require_participant(request.conversation_id, who)
        await self._history.require_messages(
            request.conversation_id, request.evidence_message_ids, who
        )
        response = await self._memory.Remember(
            stored.RememberRequest(
                request_id=request.request_id,
                content=request.content,
                kind=request.kind,
                importance=request.importance,
                scope=request.scope,
                conversation_id=request.conversation_id,
                evidence_message_ids=request.evidence_message_ids,
            )
        )
        return contract.RememberResponse(
            memory=response.memory if response.HasField("memory") else None,
            outcome=response.outcome,
            replaced=response.replaced if response.HasField("replaced") else None,
        )

    async def page(self, request: contract.ListMemoriesRequest) -> contract.ListMemoriesResponse:
        """A page of memories."""
        response = await self._memory.ListMemories(
            stored.ListMemoriesRequest(
                scope=request.scope,
                kinds=request.kinds,
                include_past=request.include_past,
                page_size=request.page_size,
                page_token=request.page_token,
            )
        )
        return contract.ListMemoriesResponse(
            memories=response.memories, next_page_token=response.next_page_token
        )

    async def correct(
        self, request: contract.CorrectMemoryRequest
    ) -> contract.CorrectMemoryResponse:
        """Puts another statement in the place of one."""
        response = await self._memory.CorrectMemory(
            stored.CorrectMemoryRequest(
                request_id=request.request_id,
                memory_id=request.memory_id,
                content=request.content,
            )
        )
        return contract.CorrectMemoryResponse(
            memory=response.memory,
            replaced=response.replaced if response.HasField("replaced") else None,
        )

    async def forget(
        self, request: contract.ForgetMemoriesRequest
    ) -> contract.ForgetMemoriesResponse:
        """Erases memories."""
        response = await self._memory.ForgetMemories(
            stored.ForgetMemoriesRequest(
                request_id=request.request_id, memory_ids=request.memory_ids
            )
        )
        return contract.ForgetMemoriesResponse(receipt=response.receipt)

    async def receipt(
        self, request: contract.GetForgetReceiptRequest
    ) -> contract.GetForgetReceiptResponse:
        """A receipt, as it stands."""
        response = await self._memory.GetForgetReceipt(
            stored.GetForgetReceiptRequest(receipt_id=request.receipt_id)
        )
        return contract.GetForgetReceiptResponse(receipt=response.receipt)
