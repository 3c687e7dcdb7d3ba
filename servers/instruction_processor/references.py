"""The message that `last`, `answer` or nothing means; the same one when a request is repeated."""

from typing import TYPE_CHECKING

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    GetConversationRequest,
    ListMessagesRequest,
    ListUpdatesRequest,
)
from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.errors.v1.errors_pb2 import Reason
from servers.instruction_processor.arguments import ANSWER
from servers.instruction_processor.steps import Step
from servers.runtime.errors import NotFound

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )

LOOKED_AT = 50
"""How many of the latest messages are searched for the one that `last` or `answer` means."""


class References:
    """Finds the messages that words mean."""

    def __init__(self, conversations: "ConversationManagerServiceAsyncStub") -> None:
        self._conversations = conversations

    async def resolve(self, conversation_id: str, step: Step, request_id: str) -> str:
        """Id of the message that a step means; NotFound if there is none. A step that was taken
        before under this request id means what it meant then."""
        meant = await self._meant(conversation_id, step)
        # Asked for last: a request that is under way twice finds what the other one has done
        # since, where the word means something else by now.
        done = await self._done(conversation_id, step, request_id)
        if not (done or meant):
            unpins = step.command.name == "unpin"
            raise NotFound(
                Reason.REASON_MESSAGE_NOT_FOUND,
                "no message is pinned" if unpins else "there is no such message yet",
            )
        return done or meant

    async def _done(self, conversation_id: str, step: Step, request_id: str) -> str:
        """The message of the change that was made under this request id; empty if none was."""
        log = await self._conversations.ListUpdates(
            ListUpdatesRequest(conversation_id=conversation_id, request_id=request_id, page_size=1)
        )
        return _message_of(step, log.updates[0].change) if log.updates else ""

    async def _meant(self, conversation_id: str, step: Step) -> str:
        """The message that the word means now; empty if there is none."""
        if step.command.name == "unpin":
            request = GetConversationRequest(conversation_id=conversation_id)
            found = (await self._conversations.GetConversation(request)).conversation
            return found.pinned_message_ids[-1] if found.pinned_message_ids else ""
        page = await self._conversations.ListMessages(
            ListMessagesRequest(conversation_id=conversation_id, page_size=LOOKED_AT)
        )
        wanted = (
            message.id
            for message in page.messages
            if step.reference != ANSWER or message.role == MessageRole.MESSAGE_ROLE_ASSISTANT
        )
        return next(wanted, "")


def _message_of(step: Step, change: ConversationChange) -> str:
    """The message of a change; empty if it is of another kind than the step's, so of another
    request, which the conversation manager refuses."""
    return change.unpin_message_id if step.command.name == "unpin" else change.pin_message_id
