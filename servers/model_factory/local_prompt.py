"""Prompts as the local model needs them. Pure."""

from collections.abc import Iterator, Sequence

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole

SYSTEM = "You are Kari, a helpful assistant. Answer in a few sentences."
"""Said where the prompt has no system message: without any, the model's template says that it is
somebody else."""

CONTROL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
"""What marks who speaks in this model's prompts."""


def prepared(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """The prompt with all system messages as one at its head, and no message that could pass for
    several: llama.cpp reads control words in a text as control words."""
    system = "\n\n".join(m.content for m in messages if _is_system(m)) or SYSTEM
    return [
        PromptMessage(role=MessageRole.MESSAGE_ROLE_SYSTEM, content=_tamed(system)),
        *_others(messages),
    ]


def _others(messages: Sequence[PromptMessage]) -> Iterator[PromptMessage]:
    for message in messages:
        if not _is_system(message):
            yield PromptMessage(role=message.role, content=_tamed(message.content))


def _is_system(message: PromptMessage) -> bool:
    return message.role == MessageRole.MESSAGE_ROLE_SYSTEM


def _tamed(text: str) -> str:
    for word in CONTROL:
        text = text.replace(word, f"< {word[1:]}")
    return text
