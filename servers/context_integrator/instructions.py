"""The system message of a prompt: base, mode, persona and the conversation's own words. Pure."""

from collections.abc import Mapping

from kari.conversation_models.v1.conversation_pb2 import Conversation, ConversationMode, Persona

BASE = "You are Kari, a helpful assistant. Answer the user directly and honestly."

MODES: Mapping[ConversationMode.ValueType, str] = {
    ConversationMode.CONVERSATION_MODE_ANALYSIS: (
        "Analyse the material step by step and say what supports each conclusion."
    ),
    ConversationMode.CONVERSATION_MODE_CREATIVE: "Write with imagination and a voice of your own.",
    ConversationMode.CONVERSATION_MODE_TECHNICAL: (
        "Explain precisely, for a specialist, with exact terms."
    ),
    ConversationMode.CONVERSATION_MODE_CODE: (
        "Answer with correct, complete code and only as much prose as it needs."
    ),
    ConversationMode.CONVERSATION_MODE_SUMMARIZATION: (
        "Shorten what you are given; keep names, numbers and decisions."
    ),
}


def system_message(conversation: Conversation) -> str:
    """What the model is told first. The same configuration gives the same bytes."""
    parts = [BASE, MODES.get(conversation.mode, "")]
    if conversation.HasField("persona"):
        parts.append(_persona(conversation.persona))
    parts.append(conversation.system_instructions.strip())
    return "\n\n".join(part for part in parts if part)


def _persona(persona: Persona) -> str:
    name = persona.name.replace("_", " ")
    traits = "; ".join(f"{key}: {persona.traits[key]}" for key in sorted(persona.traits))
    return f"Speak as {name}." + (f" {traits}." if traits else "")
