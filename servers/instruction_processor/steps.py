"""Command lines into steps that the caller may take. All are checked before any is taken, so a
mistake in the last line leaves nothing half done."""

from collections.abc import Iterable
from dataclasses import dataclass

from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.conversation_models.v1.instruction_pb2 import Instruction, InstructionType
from kari.errors.v1.errors_pb2 import Reason
from servers.instruction_processor.arguments import ANSWER, LAST
from servers.instruction_processor.commands import Command, command_of
from servers.instruction_processor.parsing import Line
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden, InvalidRequest
from servers.runtime.interceptors.validation import validate


@dataclass(frozen=True)
class Step:
    """One command to carry out."""

    command: Command
    instruction: Instruction

    @property
    def asks(self) -> bool:
        """True if it is a question and changes nothing."""
        return self.instruction.type == InstructionType.INSTRUCTION_TYPE_QUERY

    @property
    def remembers(self) -> bool:
        """True if it changes what is remembered, and nothing of the conversation."""
        return self.command.remembers

    @property
    def reference(self) -> str:
        """`last` or `answer` if a message has to be found first, else empty."""
        word = self.instruction.parameters.get("message", "")
        return word if word in (LAST, ANSWER) else ""

    @property
    def model(self) -> str:
        """Name of the model that it chooses, empty if it chooses none."""
        keeps = self.asks or self.remembers or self.reference
        return "" if keeps else self.change().model

    def change(self) -> ConversationChange:
        """The change it makes; InvalidRequest if it breaks a rule of the contract."""
        change = self.command.changes(self.instruction.parameters)
        try:
            validate(change)
        except InvalidRequest as error:
            raise self.command.misuse(error) from None
        return change


def steps_of(lines: Iterable[Line], who: Principal) -> list[Step]:
    """The steps of command lines. NotFound, InvalidRequest or Forbidden says which is wrong."""
    return [_step(line, who) for line in lines]


def _step(line: Line, who: Principal) -> Step:
    command = command_of(line)
    step = Step(command, command.instruction(line.arguments))
    _require_roles(step, who)
    if not step.asks and not step.remembers and not step.reference:
        step.change()
    return step


def _require_roles(step: Step, who: Principal) -> None:
    missing = who.missing(frozenset(step.instruction.required_roles))
    if missing:
        names = ", ".join(sorted(missing))
        raise Forbidden(
            Reason.REASON_ROLE_MISSING,
            f"/{step.command.name} needs the role {names}",
            role=names,
            command=step.command.name,
        )
