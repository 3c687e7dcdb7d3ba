"""Why an answer is what it is, from the manifest of its prompt."""

from typing import TYPE_CHECKING

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    GetTurnManifestRequest,
    ListMessagesRequest,
)
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.errors.v1.errors_pb2 import Reason
from servers.instruction_processor import reason_replies
from servers.instruction_processor.references import LOOKED_AT
from servers.runtime.errors import NotFound

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )


class Reasons:
    """Explains turns."""

    def __init__(self, conversations: "ConversationManagerServiceAsyncStub") -> None:
        self._conversations = conversations

    async def explained(self, conversation_id: str, turn_id: str) -> str:
        """What a turn's answer was made from, that of the last answer if none is named, in
        Markdown. NotFound if there is none."""
        turn_id = turn_id or await self._last(conversation_id)
        found = await self._conversations.GetTurnManifest(GetTurnManifestRequest(turn_id=turn_id))
        return reason_replies.explained(found)

    async def _last(self, conversation_id: str) -> str:
        page = await self._conversations.ListMessages(
            ListMessagesRequest(conversation_id=conversation_id, page_size=LOOKED_AT)
        )
        for message in page.messages:
            if message.role == MessageRole.MESSAGE_ROLE_ASSISTANT and message.turn_id:
                return message.turn_id
        raise NotFound(Reason.REASON_TURN_NOT_FOUND, "there is no answer to explain yet")
