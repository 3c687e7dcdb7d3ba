"""Questions: answered from what the conversation manager and the model factory know."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import grpc

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    ConversationUpdate,
    GetConversationRequest,
    ListUpdatesRequest,
)
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.model_pb2 import Model
from servers.instruction_processor import replies
from servers.instruction_processor.commands import Command, command_of
from servers.instruction_processor.memories import Memories
from servers.instruction_processor.models import Models
from servers.instruction_processor.parsing import Line
from servers.instruction_processor.reasons import Reasons
from servers.instruction_processor.searching import Searching
from servers.instruction_processor.steps import Step
from servers.runtime.call import principal
from servers.runtime.errors import from_rpc

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )

SHOWN = 3
"""How many of the latest changes the status shows."""

_ABOUT: Mapping[str, Callable[[Conversation], str]] = {
    "persona": replies.about_persona,
    "system": replies.about_system,
    "participants": replies.about_participants,
}


class Questions:
    """Answers steps that change nothing."""

    def __init__(
        self,
        conversations: "ConversationManagerServiceAsyncStub",
        models: Models,
        memories: Memories,
        searching: Searching,
    ) -> None:
        self._conversations = conversations
        self._models = models
        self._memories = memories
        self._searching = searching
        self._reasons = Reasons(conversations)

    async def answer(self, conversation_id: str, step: Step) -> str:
        """What a question asks for, in Markdown."""
        match step.command.name:
            case "help":
                return _help(step)
            case "memories":
                return await self._memories.listed(step)
            case "search":
                return await self._searching.found(conversation_id, step)
            case "why":
                turn_id = step.instruction.parameters.get("turn", "")
                return await self._reasons.explained(conversation_id, turn_id)
            case name:
                return await self._about(conversation_id, name)

    async def _about(self, conversation_id: str, name: str) -> str:
        """How the conversation is set up."""
        request = GetConversationRequest(conversation_id=conversation_id)
        conversation = (await self._conversations.GetConversation(request)).conversation
        if name == "status":
            return replies.status(conversation, await self._latest(conversation_id))
        if name == "model":
            return replies.about_model(conversation, await self._choices())
        return _ABOUT[name](conversation)

    async def _latest(self, conversation_id: str) -> Sequence[ConversationUpdate]:
        request = ListUpdatesRequest(conversation_id=conversation_id, page_size=SHOWN)
        return (await self._conversations.ListUpdates(request)).updates

    async def _choices(self) -> Sequence[Model] | None:
        """None while nobody knows: the conversation's own model can be told even so."""
        try:
            return await self._models.permitted(principal())
        except grpc.aio.AioRpcError as error:
            if not from_rpc(error).may_retry:
                raise
            return None


def may_use(command: Command) -> bool:
    """True if the caller has the roles of a command."""
    return not principal().missing(frozenset(command.required_roles()))


def _help(step: Step) -> str:
    name = step.instruction.parameters.get("command", "")
    if not name:
        return replies.commands(may_use)
    command = command_of(Line(name.removeprefix("/").lower(), ""))
    return replies.explained(command, allowed=may_use(command))
