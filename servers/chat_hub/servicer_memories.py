"""The hub over gRPC, as to what is remembered of a user: translates only."""

from kari.chat_hub.v1 import chat_hub_pb2 as hub
from kari.chat_hub.v1.chat_hub_pb2_grpc import ChatHubServiceServicer
from kari.conversation_manager.v1 import conversation_manager_pb2 as conversations
from servers.chat_hub.peers import Peers
from servers.runtime.grpc_types import Context


class Memories(ChatHubServiceServicer):
    """Passes on what callers ask of their memories; see the contract for every method."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def Remember(
        self, request: hub.RememberRequest, context: Context
    ) -> hub.RememberResponse:
        """Remembers a statement."""
        response = await self._peers.conversations.Remember(
            conversations.RememberRequest(
                request_id=request.request_id,
                content=request.content,
                kind=request.kind,
                importance=request.importance,
                scope=request.scope,
                conversation_id=request.conversation_id,
                evidence_message_ids=request.evidence_message_ids,
            )
        )
        return hub.RememberResponse(
            memory=response.memory if response.HasField("memory") else None,
            outcome=response.outcome,
            replaced=response.replaced if response.HasField("replaced") else None,
        )

    async def ListMemories(
        self, request: hub.ListMemoriesRequest, context: Context
    ) -> hub.ListMemoriesResponse:
        """A page of what is remembered."""
        response = await self._peers.conversations.ListMemories(
            conversations.ListMemoriesRequest(
                scope=request.scope,
                kinds=request.kinds,
                include_past=request.include_past,
                page_size=request.page_size,
                page_token=request.page_token,
            )
        )
        return hub.ListMemoriesResponse(
            memories=response.memories, next_page_token=response.next_page_token
        )

    async def CorrectMemory(
        self, request: hub.CorrectMemoryRequest, context: Context
    ) -> hub.CorrectMemoryResponse:
        """Puts another statement in the place of a memory."""
        response = await self._peers.conversations.CorrectMemory(
            conversations.CorrectMemoryRequest(
                request_id=request.request_id,
                memory_id=request.memory_id,
                content=request.content,
            )
        )
        return hub.CorrectMemoryResponse(
            memory=response.memory,
            replaced=response.replaced if response.HasField("replaced") else None,
        )

    async def ForgetMemories(
        self, request: hub.ForgetMemoriesRequest, context: Context
    ) -> hub.ForgetMemoriesResponse:
        """Erases memories."""
        response = await self._peers.conversations.ForgetMemories(
            conversations.ForgetMemoriesRequest(
                request_id=request.request_id, memory_ids=request.memory_ids
            )
        )
        return hub.ForgetMemoriesResponse(receipt=response.receipt)

    async def GetForgetReceipt(
        self, request: hub.GetForgetReceiptRequest, context: Context
    ) -> hub.GetForgetReceiptResponse:
        """A receipt, as it stands."""
        response = await self._peers.conversations.GetForgetReceipt(
            conversations.GetForgetReceiptRequest(receipt_id=request.receipt_id)
        )
        return hub.GetForgetReceiptResponse(receipt=response.receipt)
