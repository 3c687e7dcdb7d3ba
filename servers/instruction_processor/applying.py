"""Carrying out steps: changes through the conversation manager, questions from what it knows."""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    GetConversationRequest,
    ListMessagesRequest,
    ProposeUpdateRequest,
    UpdateConversationRequest,
)
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.instruction_pb2 import InstructionResult, InstructionStatus
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.errors.v1.errors_pb2 import Reason
from servers.instruction_processor import replies
from servers.instruction_processor.arguments import ANSWER
from servers.instruction_processor.commands import Command, command_of
from servers.instruction_processor.parsing import Line
from servers.instruction_processor.steps import Step
from servers.runtime.call import principal
from servers.runtime.errors import NotFound

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )

LOOKED_AT = 50
"""How many of the latest messages are searched for the one that `last` or `answer` means."""

_ABOUT: Mapping[str, Callable[[Conversation], str]] = {
    "model": replies.about_model,
    "persona": replies.about_persona,
    "system": replies.about_system,
    "participants": replies.about_participants,
    "status": replies.status,
}


class Applying:
    """Takes steps in one conversation after the other."""

    def __init__(self, conversations: "ConversationManagerServiceAsyncStub") -> None:
        self._conversations = conversations

    async def apply(self, conversation_id: str, step: Step, request_id: str) -> InstructionResult:
        """Takes a step; repeating it with the same request id changes nothing more."""
        if step.asks:
            return _result(step, await self._answer(conversation_id, step))
        if step.reference:
            found = await self._find(conversation_id, step)
            step.instruction.parameters["message"] = found
        if step.instruction.requires_confirmation:
            return await self._propose(conversation_id, step, request_id)
        change = step.change()
        await self._conversations.UpdateConversation(
            UpdateConversationRequest(
                conversation_id=conversation_id, request_id=request_id, changes=[change]
            )
        )
        return _result(step, replies.done(change))

    async def _propose(
        self, conversation_id: str, step: Step, request_id: str
    ) -> InstructionResult:
        change = step.change()
        proposed = await self._conversations.ProposeUpdate(
            ProposeUpdateRequest(
                conversation_id=conversation_id, request_id=request_id, changes=[change]
            )
        )
        result = _result(step, replies.asked(change))
        result.status = InstructionStatus.INSTRUCTION_STATUS_NEEDS_CONFIRMATION
        result.proposal_id = proposed.proposal_id
        return result

    async def _answer(self, conversation_id: str, step: Step) -> str:
        if step.command.name == "help":
            return _help(step)
        return _ABOUT[step.command.name](await self._conversation(conversation_id))

    async def _find(self, conversation_id: str, step: Step) -> str:
        """The id of the message that a word means."""
        if step.command.name == "unpin":
            pinned = (await self._conversation(conversation_id)).pinned_message_ids
            return _first(pinned[::-1], "no message is pinned")
        page = await self._conversations.ListMessages(
            ListMessagesRequest(conversation_id=conversation_id, page_size=LOOKED_AT)
        )
        wanted = [
            message.id
            for message in page.messages
            if step.reference != ANSWER or message.role == MessageRole.MESSAGE_ROLE_ASSISTANT
        ]
        return _first(wanted, "there is no such message yet")

    async def _conversation(self, conversation_id: str) -> Conversation:
        request = GetConversationRequest(conversation_id=conversation_id)
        return (await self._conversations.GetConversation(request)).conversation


def line_request_id(request_id: str, line: int) -> str:
    """Id of the change that a line of a request makes; the same when the request is repeated."""
    return hashlib.sha256(f"{request_id}\n{line}".encode()).hexdigest()


def may_use(command: Command) -> bool:
    """True if the caller has the roles of a command."""
    return not principal().missing(frozenset(command.required_roles()))


def _help(step: Step) -> str:
    name = step.instruction.parameters.get("command", "")
    if not name:
        return replies.commands(may_use)
    command = command_of(Line(name.removeprefix("/").lower(), ""))
    return replies.explained(command, allowed=may_use(command))


def _result(step: Step, text: str) -> InstructionResult:
    return InstructionResult(
        instruction=step.instruction,
        status=InstructionStatus.INSTRUCTION_STATUS_APPLIED,
        text=text,
    )


def _first(ids: list[str], otherwise: str) -> str:
    if not ids:
        raise NotFound(Reason.REASON_MESSAGE_NOT_FOUND, otherwise)
    return ids[0]
