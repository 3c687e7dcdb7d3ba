"""Carrying out steps: changes through the conversation manager, questions from what is known."""

import hashlib
from typing import TYPE_CHECKING

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    ProposeUpdateRequest,
    UpdateConversationRequest,
)
from kari.conversation_models.v1.instruction_pb2 import InstructionResult, InstructionStatus
from servers.instruction_processor import replies
from servers.instruction_processor.memories import Memories
from servers.instruction_processor.questions import Questions
from servers.instruction_processor.references import References
from servers.instruction_processor.steps import Step

if TYPE_CHECKING:
    from kari.conversation_manager.v1.conversation_manager_pb2_grpc import (
        ConversationManagerServiceAsyncStub,
    )


class Applying:
    """Takes steps in one conversation after the other."""

    def __init__(
        self,
        conversations: "ConversationManagerServiceAsyncStub",
        questions: Questions,
        memories: Memories,
    ) -> None:
        self._conversations = conversations
        self._questions = questions
        self._memories = memories
        self._references = References(conversations)

    async def apply(self, conversation_id: str, step: Step, request_id: str) -> InstructionResult:
        """Takes a step; repeating it with the same request id changes nothing more."""
        if step.asks:
            return _result(step, await self._questions.answer(conversation_id, step))
        if step.remembers:
            return _result(step, await self._memories.apply(step, request_id))
        if step.reference:
            found = await self._references.resolve(conversation_id, step, request_id)
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


def line_request_id(request_id: str, line: int) -> str:
    """Id of the change that a line of a request makes; the same when the request is repeated."""
    return hashlib.sha256(f"{request_id}\n{line}".encode()).hexdigest()


def _result(step: Step, text: str) -> InstructionResult:
    return InstructionResult(
        instruction=step.instruction,
        status=InstructionStatus.INSTRUCTION_STATUS_APPLIED,
        text=text,
    )
