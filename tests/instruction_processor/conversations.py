"""A conversation manager that keeps everything in memory: a real server of the contract."""

# ruff: noqa: N802  # rpc methods are named as the contract names them

from collections.abc import Callable
from functools import partial

from kari.conversation_manager.v1 import conversation_manager_pb2 as pb
from kari.conversation_manager.v1 import conversation_manager_pb2_grpc
from kari.conversation_models.v1.context_pb2 import ContextManifest
from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationChange
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.turn_pb2 import Turn
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.bootstrap import Hosted
from servers.runtime.call import principal
from servers.runtime.errors import KariError, NotFound
from servers.runtime.grpc_types import Context
from servers.runtime.ids import new_id
from tests.instruction_processor.memories import ScriptedMemories


class ScriptedConversations(ScriptedMemories):
    """Conversations, messages, turns and memories; `failures` are raised one a change, None
    passes."""

    def __init__(self) -> None:
        super().__init__()
        self.manifests: dict[str, ContextManifest] = {}
        self.conversations: dict[str, Conversation] = {}
        self.messages: dict[str, list[Message]] = {}
        self.turns: dict[str, tuple[Turn, Message | None]] = {}
        self.updates: list[pb.UpdateConversationRequest] = []
        self.failures: list[KariError | None] = []
        self._proposals: dict[str, list[ConversationChange]] = {}
        self._by_request: dict[str, str] = {}
        self._proposed: dict[str, str] = {}

    def begin(self, *participants: str, title: str = "", tenant: str = "acme") -> Conversation:
        made = Conversation(
            id=new_id("conv"),
            tenant_id=tenant,
            participant_ids=participants,
            title=title,
            version=1,
        )
        self.conversations[made.id] = made
        return made

    def say(self, conversation_id: str, role: MessageRole.ValueType, text: str = "x") -> Message:
        said = Message(id=new_id("msg"), conversation_id=conversation_id, role=role, content=text)
        self.messages.setdefault(conversation_id, []).append(said)
        return said

    def hosted(self) -> Hosted:
        (service,) = pb.DESCRIPTOR.services_by_name.values()
        add = conversation_manager_pb2_grpc.add_ConversationManagerServiceServicer_to_server
        return Hosted("conversation_manager", service, partial(add, self))

    async def CreateConversation(
        self, request: pb.CreateConversationRequest, context: Context
    ) -> pb.CreateConversationResponse:
        who = principal()
        key = f"{who.user_id} {request.request_id}"
        if key not in self._by_request:
            made = self.begin(who.user_id, title=request.title, tenant=who.tenant_id)
            self._by_request[key] = made.id
        return pb.CreateConversationResponse(conversation=self.conversations[self._by_request[key]])

    async def GetConversation(
        self, request: pb.GetConversationRequest, context: Context
    ) -> pb.GetConversationResponse:
        return pb.GetConversationResponse(conversation=self._seen(request.conversation_id))

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: Context
    ) -> pb.ListConversationsResponse:
        mine = [c for c in self.conversations.values() if principal().user_id in c.participant_ids]
        return pb.ListConversationsResponse(conversations=mine, next_page_token="more")

    async def UpdateConversation(
        self, request: pb.UpdateConversationRequest, context: Context
    ) -> pb.UpdateConversationResponse:
        conversation = self._seen(request.conversation_id)
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        if request.request_id not in {update.request_id for update in self.updates}:
            self.updates.append(request)
            self._change(conversation, request.changes)
        return pb.UpdateConversationResponse(conversation=conversation)

    async def ProposeUpdate(
        self, request: pb.ProposeUpdateRequest, context: Context
    ) -> pb.ProposeUpdateResponse:
        self._seen(request.conversation_id)
        if request.request_id not in self._proposed:
            proposal = self._proposed[request.request_id] = new_id("prop")
            self._proposals[proposal] = list(request.changes)
        return pb.ProposeUpdateResponse(proposal_id=self._proposed[request.request_id])

    async def AnswerProposal(
        self, request: pb.AnswerProposalRequest, context: Context
    ) -> pb.AnswerProposalResponse:
        conversation = self._seen(request.conversation_id)
        changes = self._proposals.pop(request.proposal_id, None)
        if changes is None:
            raise NotFound(Reason.REASON_PROPOSAL_NOT_FOUND, "there is no such proposal")
        if request.accepted:
            self._change(conversation, changes)
        return pb.AnswerProposalResponse(conversation=conversation, changes=changes)

    async def ListUpdates(
        self, request: pb.ListUpdatesRequest, context: Context
    ) -> pb.ListUpdatesResponse:
        self._seen(request.conversation_id)
        made = [
            pb.ConversationUpdate(change=change)
            for update in self.updates[::-1]
            if update.conversation_id == request.conversation_id
            and request.request_id in ("", update.request_id)
            for change in update.changes
        ]
        return pb.ListUpdatesResponse(updates=made[: request.page_size or 50])

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: Context
    ) -> pb.ListMessagesResponse:
        self._seen(request.conversation_id)
        said = self.messages.get(request.conversation_id, [])
        return pb.ListMessagesResponse(messages=said[::-1][: request.page_size or 50])

    async def GetTurn(self, request: pb.GetTurnRequest, context: Context) -> pb.GetTurnResponse:
        turn, answer = self._turn(request.turn_id)
        return pb.GetTurnResponse(turn=turn, answer=answer)

    async def GetTurnManifest(
        self, request: pb.GetTurnManifestRequest, context: Context
    ) -> pb.GetTurnManifestResponse:
        turn, _ = self._turn(request.turn_id)
        return pb.GetTurnManifestResponse(turn=turn, manifest=self.manifests.get(turn.id))

    def _turn(self, turn_id: str) -> tuple[Turn, Message | None]:
        turn, answer = self.turns.get(turn_id, (Turn(), None))
        try:
            self._seen(turn.conversation_id)
        except NotFound:
            raise NotFound(Reason.REASON_TURN_NOT_FOUND, "there is no such turn") from None
        return turn, answer

    def _seen(self, conversation_id: str) -> Conversation:
        who = principal()
        found = self.conversations.get(conversation_id)
        if found is None or who.user_id not in found.participant_ids:
            raise NotFound(Reason.REASON_CONVERSATION_NOT_FOUND, "there is no such conversation")
        return found

    def _change(self, conversation: Conversation, changes: list[ConversationChange]) -> None:
        for change in changes:
            kind = str(change.WhichOneof("change"))
            _CHANGES.get(kind, _assign)(conversation, change)
            conversation.version += 1


def _assign(conversation: Conversation, change: ConversationChange) -> None:
    kind = str(change.WhichOneof("change"))
    setattr(conversation, kind, getattr(change, kind))


def _persona(conversation: Conversation, change: ConversationChange) -> None:
    conversation.ClearField("persona")
    if change.persona.HasField("persona"):
        conversation.persona.CopyFrom(change.persona.persona)


def _clear(conversation: Conversation, change: ConversationChange) -> None:
    conversation.context_cleared_through = 7


_CHANGES: dict[str, Callable[[Conversation, ConversationChange], None]] = {
    "persona": _persona,
    "clear_context": _clear,
    "pin_message_id": lambda c, change: c.pinned_message_ids.append(change.pin_message_id),
    "unpin_message_id": lambda c, change: c.pinned_message_ids.remove(change.unpin_message_id),
    "add_participant_id": lambda c, change: c.participant_ids.append(change.add_participant_id),
    "remove_participant_id": lambda c, change: c.participant_ids.remove(
        change.remove_participant_id
    ),
}
