"""Arguments into changes of a conversation's configuration. Pure."""

from collections.abc import Mapping

from kari.conversation_models.v1.conversation_pb2 import (
    ConversationChange,
    ConversationMode,
    Persona,
    PersonaChange,
)

NONE = "none"
"""Word that removes instructions or a persona."""
DEFAULT = "default"
"""Word that returns to the routing rules."""
_PREFIX = "CONVERSATION_MODE_"

Parameters = Mapping[str, str]

MODES: Mapping[str, ConversationMode.ValueType] = {
    name.removeprefix(_PREFIX).lower(): number
    for name, number in ConversationMode.items()
    if number != ConversationMode.CONVERSATION_MODE_UNSPECIFIED
}
"""The modes of the contract, by the words that users type."""


def mode_name(mode: ConversationMode.ValueType) -> str:
    """The word for a mode; an unstated one is chat."""
    known = mode or ConversationMode.CONVERSATION_MODE_CHAT
    return ConversationMode.Name(known).removeprefix(_PREFIX).lower()


def mode(given: Parameters) -> ConversationChange:
    """Of `mode`."""
    return ConversationChange(mode=MODES[given["mode"]])


def model(given: Parameters) -> ConversationChange:
    """Of `model`."""
    name = given["model"]
    return ConversationChange(model="" if name == DEFAULT else name)


def persona(given: Parameters) -> ConversationChange:
    """Of `name`; everything else is a trait."""
    if given["name"] == NONE:
        return ConversationChange(persona=PersonaChange())
    traits = {name: value for name, value in given.items() if name != "name"}
    return ConversationChange(
        persona=PersonaChange(persona=Persona(name=given["name"], traits=traits))
    )


def system(given: Parameters) -> ConversationChange:
    """Of `text`."""
    text = given["text"]
    return ConversationChange(system_instructions="" if text == NONE else text)


def pin(given: Parameters) -> ConversationChange:
    """Of `message`, which is an id by now."""
    return ConversationChange(pin_message_id=given["message"])


def unpin(given: Parameters) -> ConversationChange:
    """Of `message`, which is an id by now."""
    return ConversationChange(unpin_message_id=given["message"])


def clear(given: Parameters) -> ConversationChange:
    """Of nothing."""
    return ConversationChange(clear_context=True)


def title(given: Parameters) -> ConversationChange:
    """Of `text`."""
    return ConversationChange(title=given["text"])


def participants(given: Parameters) -> ConversationChange:
    """Of `operation` and `user`."""
    if given["operation"] == "add":
        return ConversationChange(add_participant_id=given["user"])
    return ConversationChange(remove_participant_id=given["user"])
