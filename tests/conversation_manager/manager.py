"""The conversation manager as other servers use it: short words for long requests."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import asyncpg

from kari.conversation_manager.v1 import conversation_manager_pb2 as contract
from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
    ConversationManagerServiceStub,
)
from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationChange
from servers.runtime.ids import new_id
from servers.wiring import Wiring
from tests.hosting import Somebody, connect_as
from tests.production_memory.embedder import Embedder
from tests.production_memory.memory import Memory

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )

EVERY_ROLE = frozenset({"chat.user", "chat.mode.switch", "chat.config.edit", "chat.persona.change"})


@dataclass(frozen=True)
class Manager:
    """A conversation manager in the hands of a user."""

    wiring: Wiring
    somebody: Somebody

    @property
    def stub(self) -> "ConversationManagerServiceAsyncStub":
        return self.wiring.stub(
            "chat_orchestrator", "conversation_manager", ConversationManagerServiceStub
        )

    def colleague(self, **changes: Any) -> "Manager":
        """The same server in the hands of another user of the tenant."""
        changes = {"user_id": new_id("user")} | changes
        return replace(self, somebody=replace(self.somebody, **changes))

    def memory(self, conversation_id: str) -> Memory:
        """The production memory beside it."""
        return Memory(self.wiring, Embedder(), self.somebody, conversation_id)

    async def create(self, title: str = "", request_id: str = "") -> Conversation:
        request = contract.CreateConversationRequest(
            request_id=request_id or new_id("req"), title=title
        )
        return (await self.stub.CreateConversation(request)).conversation

    async def get(self, conversation_id: str) -> Conversation:
        request = contract.GetConversationRequest(conversation_id=conversation_id)
        return (await self.stub.GetConversation(request)).conversation

    async def update(
        self, conversation_id: str, *changes: ConversationChange, **fields: Any
    ) -> Conversation:
        fields = {"request_id": new_id("req")} | fields
        request = contract.UpdateConversationRequest(
            conversation_id=conversation_id, changes=changes, **fields
        )
        return (await self.stub.UpdateConversation(request)).conversation

    async def page(self, **fields: Any) -> contract.ListConversationsResponse:
        return await self.stub.ListConversations(contract.ListConversationsRequest(**fields))

    async def updates(self, conversation_id: str, **fields: Any) -> contract.ListUpdatesResponse:
        return await self.stub.ListUpdates(
            contract.ListUpdatesRequest(conversation_id=conversation_id, **fields)
        )

    async def propose(
        self, conversation_id: str, *changes: ConversationChange, request_id: str = ""
    ) -> contract.ProposeUpdateResponse:
        request = contract.ProposeUpdateRequest(
            conversation_id=conversation_id,
            changes=changes,
            request_id=request_id or new_id("req"),
        )
        return await self.stub.ProposeUpdate(request)

    async def answer(
        self, conversation_id: str, proposal_id: str, *, accepted: bool = True
    ) -> contract.AnswerProposalResponse:
        return await self.stub.AnswerProposal(
            contract.AnswerProposalRequest(
                conversation_id=conversation_id, proposal_id=proposal_id, accepted=accepted
            )
        )

    async def connect(self, tenant_id: str) -> asyncpg.Connection:
        """A connection with the server's own role and rights, its tenant set."""
        return await connect_as(self.wiring.settings, "conversation_manager", tenant_id)
