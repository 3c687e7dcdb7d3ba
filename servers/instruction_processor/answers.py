"""An answered proposal as the result of the command that asked. Pure."""

from collections.abc import Sequence

from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.conversation_models.v1.instruction_pb2 import (
    Instruction,
    InstructionResult,
    InstructionStatus,
)
from servers.instruction_processor import replies
from servers.instruction_processor.changes import NONE
from servers.instruction_processor.commands import COMMANDS


def answered(changes: Sequence[ConversationChange], *, accepted: bool) -> InstructionResult:
    """What became of proposed changes. Only personas are proposed by commands; changes that a
    client proposed by itself have no command and so no instruction."""
    say = replies.done if accepted else replies.declined
    applied = InstructionStatus.INSTRUCTION_STATUS_APPLIED
    return InstructionResult(
        instruction=_persona_instruction(changes),
        status=applied if accepted else InstructionStatus.INSTRUCTION_STATUS_DECLINED,
        text="\n".join(map(say, changes)),
    )


def _persona_instruction(changes: Sequence[ConversationChange]) -> Instruction | None:
    for change in changes:
        if change.HasField("persona"):
            persona = change.persona.persona
            command = COMMANDS["persona"]
            return Instruction(
                type=command.type,
                action=command.name,
                parameters={**persona.traits, "name": persona.name or NONE},
                requires_confirmation=True,
                required_roles=command.required_roles(),
            )
    return None
