"""The commands, as data. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from kari.conversation_manager.v1.conversation_manager_pb2 import UpdateConversationRequest
from kari.conversation_models.v1.conversation_pb2 import ConversationChange
from kari.conversation_models.v1.instruction_pb2 import Instruction, InstructionType
from kari.errors.v1.errors_pb2 import Reason
from servers.instruction_processor import arguments, changes
from servers.instruction_processor.parsing import Line
from servers.runtime.errors import InvalidRequest, NotFound
from servers.runtime.policy import FieldRoles

_FIELD_ROLES = FieldRoles()
_ESCAPE = "to send a text that starts with a slash, put a space before it"


@dataclass(frozen=True)
class Command:
    """One command. `change` makes the change that its arguments ask for; without one, or without
    arguments where it has some, the command is a question. `example` shows it changing something,
    or asking."""

    name: str
    usage: str
    summary: str
    example: str
    type: InstructionType.ValueType
    read: arguments.Read
    change: Callable[[Mapping[str, str]], ConversationChange] | None = None
    confirmed: bool = False
    choices: tuple[str, ...] = ()
    bare: bool = False
    """True if it changes something without any argument too."""
    roles: tuple[str, ...] = ()
    """Roles that it takes beside those of its change."""

    def instruction(self, text: str) -> Instruction:
        """The instruction that a line with these arguments gives. InvalidRequest says what is wrong
        and how to write it."""
        try:
            given = self.read(text)
        except InvalidRequest as error:
            raise self.misuse(error) from None
        changing = self.remembers or (self.change is not None and (bool(given) or self.bare))
        return Instruction(
            type=self.type if changing else InstructionType.INSTRUCTION_TYPE_QUERY,
            action=self.name,
            parameters=given,
            requires_confirmation=self.confirmed and changing,
            required_roles=self.required_roles(given) if changing else (),
        )

    @property
    def remembers(self) -> bool:
        """Whether it changes what is remembered, and nothing of the conversation."""
        return self.type == InstructionType.INSTRUCTION_TYPE_MEMORY

    def changes(self, given: Mapping[str, str]) -> ConversationChange:
        """The change that arguments ask for; only for instructions that are no question."""
        if self.change is None:
            raise LookupError(f"/{self.name} changes nothing")
        return self.change(given)

    def required_roles(self, given: Mapping[str, str] | None = None) -> list[str]:
        """Roles that the contract asks for to make the change, of the example unless `given`."""
        if self.change is None:
            return sorted(self.roles)
        if given is None:
            given = self.read(self.example.partition(" ")[2])
        request = UpdateConversationRequest(changes=[self.change(given)])
        return sorted(_FIELD_ROLES.required(request))

    def misuse(self, error: InvalidRequest) -> InvalidRequest:
        """The same error, with the command's name and how to write it."""
        said = InvalidRequest(
            error.reason,
            f"/{self.name}: {error.message}; write it as `{self.usage}`",
            violations=error.violations,
            command=self.name,
            usage=self.usage,
        )
        said.details.update(error.details)
        return said


COMMANDS: Mapping[str, Command] = {
    command.name: command
    for command in (
        Command(
            "clear",
            "/clear context",
            "Leaves all messages so far out of the context, pinned ones excepted.",
            "/clear context",
            InstructionType.INSTRUCTION_TYPE_CONFIG_CHANGE,
            arguments.literal("context"),
            changes.clear,
            choices=("context",),
            bare=True,
        ),
        Command(
            "correct",
            "/correct MEMORY_ID TEXT",
            "Puts another statement in the place of something that is remembered.",
            "/correct mem_" + 32 * "0" + " I live in Perth now.",
            InstructionType.INSTRUCTION_TYPE_MEMORY,
            arguments.correction,
        ),
        Command(
            "forget",
            "/forget MEMORY_ID [MEMORY_ID ...]|all yes",
            "Erases what is remembered of you, with all that it replaced; gives a receipt.",
            "/forget mem_" + 32 * "0",
            InstructionType.INSTRUCTION_TYPE_MEMORY,
            arguments.forgotten,
        ),
        Command(
            "help",
            "/help [COMMAND]",
            "Lists the commands, or explains one.",
            "/help set",
            InstructionType.INSTRUCTION_TYPE_QUERY,
            arguments.optional("command"),
        ),
        Command(
            "memories",
            "/memories [past|domain]",
            "Lists what is remembered of you; with `past` also what held before, with `domain` "
            "what everybody here is told.",
            "/memories",
            InstructionType.INSTRUCTION_TYPE_QUERY,
            arguments.one_of("which", ("past", "domain")),
            choices=("past", "domain"),
        ),
        Command(
            "model",
            "/model [NAME|default]",
            "Chooses the model that answers, or lists them; `default` leaves it to the rules.",
            "/model local/smollm2-135m",
            InstructionType.INSTRUCTION_TYPE_ROUTING_HINT,
            arguments.optional("model"),
            changes.model,
        ),
        Command(
            "participants",
            "/participants [add|remove USER_ID]",
            "Shows who takes part, takes somebody in, or lets somebody go.",
            "/participants add user_" + 32 * "0",
            InstructionType.INSTRUCTION_TYPE_CONFIG_CHANGE,
            arguments.participants,
            changes.participants,
            choices=("add", "remove"),
        ),
        Command(
            "persona",
            "/persona [NAME [trait=value ...]|none]",
            "Changes how the model presents itself, or shows it; asks before it does.",
            "/persona technical_expert tone=formal",
            InstructionType.INSTRUCTION_TYPE_PERSONA_CHANGE,
            arguments.persona,
            changes.persona,
            confirmed=True,
        ),
        Command(
            "pin",
            "/pin [MESSAGE_ID|last|answer]",
            "Keeps a message in the context, the last one unless another is named.",
            "/pin answer",
            InstructionType.INSTRUCTION_TYPE_CONFIG_CHANGE,
            arguments.with_default("message", arguments.LAST),
            changes.pin,
            choices=(arguments.LAST, arguments.ANSWER),
        ),
        Command(
            "remember",
            "/remember TEXT",
            "Remembers something about you, for all conversations.",
            "/remember I am allergic to nuts.",
            InstructionType.INSTRUCTION_TYPE_MEMORY,
            arguments.statement,
        ),
        Command(
            "search",
            "/search [here] WORDS",
            'Finds messages of your conversations, or of this one; `"a phrase"` has to stand '
            "there, `-word` must not.",
            "/search plans for the garden",
            InstructionType.INSTRUCTION_TYPE_QUERY,
            arguments.search,
        ),
        Command(
            "set",
            "/set mode MODE",
            "Switches the mode of the conversation.",
            "/set mode analysis",
            InstructionType.INSTRUCTION_TYPE_MODE_SWITCH,
            arguments.mode,
            changes.mode,
            choices=tuple(changes.MODES),
        ),
        Command(
            "status",
            "/status",
            "Shows how the conversation is set up and what was changed last.",
            "/status",
            InstructionType.INSTRUCTION_TYPE_QUERY,
            arguments.nothing,
        ),
        Command(
            "system",
            "/system [TEXT|none]",
            "Tells the model something at the start of every prompt, or shows what it is told.",
            "/system Answer in one sentence.",
            InstructionType.INSTRUCTION_TYPE_SYSTEM_DIRECTIVE,
            arguments.whole("text", required=False),
            changes.system,
        ),
        Command(
            "teach",
            "/teach TEXT",
            "Remembers something for everybody here.",
            "/teach Our support hours are nine to five.",
            InstructionType.INSTRUCTION_TYPE_MEMORY,
            arguments.statement,
            roles=("chat.config.edit",),
        ),
        Command(
            "title",
            "/title TEXT",
            "Names the conversation.",
            "/title Plans for the garden",
            InstructionType.INSTRUCTION_TYPE_CONFIG_CHANGE,
            arguments.whole("text", required=True),
            changes.title,
        ),
        Command(
            "unpin",
            "/unpin [MESSAGE_ID|last]",
            "Lets a pinned message go, the one pinned last unless another is named.",
            "/unpin last",
            InstructionType.INSTRUCTION_TYPE_CONFIG_CHANGE,
            arguments.with_default("message", arguments.LAST),
            changes.unpin,
            choices=(arguments.LAST,),
        ),
        Command(
            "why",
            "/why [TURN_ID]",
            "Says what an answer was made from, the last one unless another is named.",
            "/why",
            InstructionType.INSTRUCTION_TYPE_QUERY,
            arguments.optional("turn"),
        ),
    )
}
"""By name, in the order of their names."""


def command_of(line: Line) -> Command:
    """The command that a line names; NotFound, with the nearest names, if there is none."""
    found = COMMANDS.get(line.name)
    if found is not None:
        return found
    near = get_close_matches(line.name, COMMANDS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(f'/{name}' for name in near)}?" if near else "see /help;"
    raise NotFound(
        Reason.REASON_COMMAND_UNKNOWN,
        f"there is no such command; {hint} {_ESCAPE}",
        near=" ".join(near),
    )
