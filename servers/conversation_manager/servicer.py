"""Conversation manager over gRPC: translates only."""

from kari.conversation_manager.v1 import conversation_manager_pb2 as contract
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceServicer,
)
from servers.conversation_manager.conversations import Conversations
from servers.conversation_manager.history import History
from servers.conversation_manager.memories import Memories
from servers.conversation_manager.proposals import Proposals
from servers.conversation_manager.updating import Update, Updating
from servers.runtime.call import current, principal
from servers.runtime.grpc_types import Context


class ConversationManager(ConversationManagerServiceServicer):
    """Owns conversations; see the contract for every method."""

    def __init__(
        self,
        conversations: Conversations,
        updating: Updating,
        proposals: Proposals,
        history: History,
        memories: Memories,
    ) -> None:
        self._conversations = conversations
        self._updating = updating
        self._proposals = proposals
        self._history = history
        self._memories = memories

    async def CreateConversation(
        self, request: contract.CreateConversationRequest, context: Context
    ) -> contract.CreateConversationResponse:
        """Begins a conversation."""
        conversation = await self._conversations.create(request, principal())
        return contract.CreateConversationResponse(conversation=conversation)

    async def GetConversation(
        self, request: contract.GetConversationRequest, context: Context
    ) -> contract.GetConversationResponse:
        """One conversation."""
        conversation = await self._conversations.get(request.conversation_id, principal())
        return contract.GetConversationResponse(conversation=conversation)

    async def ListConversations(
        self, request: contract.ListConversationsRequest, context: Context
    ) -> contract.ListConversationsResponse:
        """A page of the caller's conversations."""
        conversations, token = await self._conversations.page(
            principal(), request.page_size, request.page_token
        )
        return contract.ListConversationsResponse(
            conversations=conversations, next_page_token=token
        )

    async def UpdateConversation(
        self, request: contract.UpdateConversationRequest, context: Context
    ) -> contract.UpdateConversationResponse:
        """Changes the configuration."""
        conversation = await self._updating.update(
            Update(
                request.conversation_id,
                request.changes,
                principal(),
                request.request_id,
                current().correlation_id,
                request.expected_version,
            )
        )
        return contract.UpdateConversationResponse(conversation=conversation)

    async def ProposeUpdate(
        self, request: contract.ProposeUpdateRequest, context: Context
    ) -> contract.ProposeUpdateResponse:
        """Keeps changes until they are confirmed."""
        proposal_id, expires_at = await self._proposals.propose(request, principal())
        return contract.ProposeUpdateResponse(proposal_id=proposal_id, expires_at=expires_at)

    async def AnswerProposal(
        self, request: contract.AnswerProposalRequest, context: Context
    ) -> contract.AnswerProposalResponse:
        """Makes proposed changes, or drops them."""
        conversation, changes = await self._proposals.answer(
            request, principal(), current().correlation_id
        )
        return contract.AnswerProposalResponse(conversation=conversation, changes=changes)

    async def ListUpdates(
        self, request: contract.ListUpdatesRequest, context: Context
    ) -> contract.ListUpdatesResponse:
        """A page of the log of changes."""
        updates, token = await self._conversations.updates(request, principal())
        return contract.ListUpdatesResponse(updates=updates, next_page_token=token)

    async def RecordSnapshot(
        self, request: contract.RecordSnapshotRequest, context: Context
    ) -> contract.RecordSnapshotResponse:
        """Keeps what the last context was made of."""
        await self._conversations.record_snapshot(
            request.conversation_id, request.snapshot, principal()
        )
        return contract.RecordSnapshotResponse()

    async def ListMessages(
        self, request: contract.ListMessagesRequest, context: Context
    ) -> contract.ListMessagesResponse:
        """A page of messages of a conversation of the caller."""
        page = await self._history.messages(request, principal())
        return contract.ListMessagesResponse(
            messages=page.messages,
            next_page_token=page.next_page_token,
            active_turn=page.active_turn if page.HasField("active_turn") else None,
        )

    async def GetTurnManifest(
        self, request: contract.GetTurnManifestRequest, context: Context
    ) -> contract.GetTurnManifestResponse:
        """How the prompt of a turn of a conversation of the caller came about."""
        found = await self._history.manifest(request.turn_id, principal())
        manifest = found.manifest if found.HasField("manifest") else None
        return contract.GetTurnManifestResponse(turn=found.turn, manifest=manifest)

    async def GetTurn(
        self, request: contract.GetTurnRequest, context: Context
    ) -> contract.GetTurnResponse:
        """A turn of a conversation of the caller."""
        found = await self._history.turn(request.turn_id, principal())
        answer = found.answer if found.HasField("answer") else None
        return contract.GetTurnResponse(turn=found.turn, answer=answer)

    async def Remember(
        self, request: contract.RememberRequest, context: Context
    ) -> contract.RememberResponse:
        """Remembers a statement of the caller."""
        return await self._memories.remember(request, principal())

    async def ListMemories(
        self, request: contract.ListMemoriesRequest, context: Context
    ) -> contract.ListMemoriesResponse:
        """A page of what is remembered."""
        return await self._memories.page(request)

    async def CorrectMemory(
        self, request: contract.CorrectMemoryRequest, context: Context
    ) -> contract.CorrectMemoryResponse:
        """Puts another statement in the place of a memory."""
        return await self._memories.correct(request)

    async def ForgetMemories(
        self, request: contract.ForgetMemoriesRequest, context: Context
    ) -> contract.ForgetMemoriesResponse:
        """Erases memories of the caller."""
        return await self._memories.forget(request)

    async def GetForgetReceipt(
        self, request: contract.GetForgetReceiptRequest, context: Context
    ) -> contract.GetForgetReceiptResponse:
        """A receipt of the caller."""
        return await self._memories.receipt(request)
