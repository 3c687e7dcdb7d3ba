"""What commands answer, in Markdown. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence

from kari.conversation_manager.v1.conversation_manager_pb2 import ConversationUpdate
from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationChange, Persona
from kari.conversation_models.v1.model_pb2 import Model
from servers.instruction_processor.changes import mode_name
from servers.instruction_processor.commands import COMMANDS, Command


def done(change: ConversationChange) -> str:
    """A change that was made."""
    return _SENTENCES[_kind(change)](change)


def asked(change: ConversationChange) -> str:
    """A change that waits for a confirmation."""
    return f"Confirm, and: {done(change)[0].lower()}{done(change)[1:]} Until then nothing changes."


def declined(change: ConversationChange) -> str:
    """A change that the user does not want."""
    return f"Left as it was ({_kind(change).replace('_', ' ')})."


def about_model(conversation: Conversation, choices: Sequence[Model] | None) -> str:
    """Which model answers, and which the user may choose; None while nobody knows."""
    model = f"The model is {code(conversation.model)}."
    now = model if conversation.model else "The routing rules choose the model."
    if choices is None:
        return f"{now} Which others there are is not known at the moment."
    return "\n".join([f"{now} You may choose:", "", *map(_choice, choices)])


def about_persona(conversation: Conversation) -> str:
    """How the model presents itself."""
    if not conversation.HasField("persona"):
        return "There is no persona: the plain assistant answers."
    return f"The persona is {_persona(conversation.persona)}."


def about_system(conversation: Conversation) -> str:
    """What the model is told."""
    if not conversation.system_instructions:
        return "There are no system instructions."
    return f"The model is told:\n\n{_quoted(conversation.system_instructions)}"


def about_participants(conversation: Conversation) -> str:
    """Who takes part."""
    return "\n".join(f"- {code(user)}" for user in conversation.participant_ids)


def status(conversation: Conversation, latest: Sequence[ConversationUpdate]) -> str:
    """How the conversation is set up, and its latest changes, the last one first."""
    persona = _persona(conversation.persona) if conversation.HasField("persona") else "none"
    rows = {
        "mode": mode_name(conversation.mode),
        "model": code(conversation.model) if conversation.model else "chosen by the rules",
        "persona": persona,
        "system instructions": f"{len(conversation.system_instructions)} characters",
        "pinned": _listed(conversation.pinned_message_ids),
        "participants": _listed(conversation.participant_ids),
        "last context": _snapshot(conversation),
        "context begins after message": str(conversation.context_cleared_through),
        "version": str(conversation.version),
        "latest changes": "".join(map(_change, latest)) or "none yet",
    }
    return "\n".join(f"- **{name}**: {value}" for name, value in rows.items())


def commands(allowed: Callable[[Command], bool]) -> str:
    """All commands, a line each; those the caller may not use are struck through."""
    return "\n".join(_entry(command, allowed(command)) for command in COMMANDS.values())


def explained(command: Command, *, allowed: bool) -> str:
    """One command in full."""
    roles = command.required_roles()
    lines = [f"`{command.usage}`", "", command.summary, "", f"Example: `{command.example}`"]
    lines += [f"Choices: {', '.join(command.choices)}"] if command.choices else []
    lines += [f"Needs {', '.join(roles)}{'' if allowed else ', which you lack'}."] if roles else []
    return "\n".join(lines)


def code(text: str) -> str:
    """Text as a code span, whatever backticks it has."""
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def escaped(text: str) -> str:
    """Text as it is, on one line, whatever it has that means something in Markdown. Only for the
    middle of a line: what means something at its beginning alone is left."""
    return _MARKS.sub(r"\\\g<0>", _SPACE.sub(" ", text))


_MARKS = re.compile(r"[\\`*_\[\]<>&~|]")
_SPACE = re.compile(r"\s+")

_SENTENCES: Mapping[str, Callable[[ConversationChange], str]] = {
    "mode": lambda c: f"The mode is **{mode_name(c.mode)}** now.",
    "model": lambda c: (
        f"The model is {code(c.model)} now." if c.model else "The routing rules choose the model."
    ),
    "system_instructions": lambda c: (
        "The model is told so from now on."
        if c.system_instructions
        else "The system instructions are removed."
    ),
    "persona": lambda c: (
        f"The persona is {_persona(c.persona.persona)} now."
        if c.persona.HasField("persona")
        else "The plain assistant answers again."
    ),
    "pin_message_id": lambda c: f"Message {code(c.pin_message_id)} is pinned.",
    "unpin_message_id": lambda c: f"Message {code(c.unpin_message_id)} is not pinned any more.",
    "title": lambda c: f"The title is {code(c.title)} now.",
    "clear_context": lambda _: "The context begins anew; pinned messages stay in it.",
    "add_participant_id": lambda c: f"{code(c.add_participant_id)} takes part now.",
    "remove_participant_id": lambda c: f"{code(c.remove_participant_id)} takes no part any more.",
    "metadata": lambda _: "The metadata is replaced.",
}


def _kind(change: ConversationChange) -> str:
    return change.WhichOneof("change") or "metadata"


def _persona(persona: Persona) -> str:
    traits = ", ".join(f"{name} = {value}" for name, value in sorted(persona.traits.items()))
    return code(persona.name) + (f" ({traits})" if traits else "")


def _entry(command: Command, allowed: bool) -> str:
    usage = f"`{command.usage}`"
    return f"- {usage if allowed else f'~~{usage}~~'}: {command.summary}"


def _choice(model: Model) -> str:
    away = "" if model.available else "; does not answer at the moment"
    return f"- {code(model.id)}: context of {model.context_window} tokens{away}"


def _change(update: ConversationUpdate) -> str:
    when = update.timestamp.ToDatetime().strftime("%Y-%m-%d %H:%M UTC")
    return f"\n  - {when}: {done(update.change)}"


def _snapshot(conversation: Conversation) -> str:
    if not conversation.HasField("context_snapshot"):
        return "none yet"
    taken = conversation.context_snapshot
    return f"{taken.tokens} tokens, {taken.kept} items kept, {taken.cut} cut"


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(map(code, ids)) or "none"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())
