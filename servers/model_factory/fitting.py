"""Cutting a prompt down to what a model can read.

System messages and the last message stay; of the others the oldest go first. If what stays does
not fit, it is shortened: the system's to half of the room, the last message to what is left. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from servers.runtime.tokens import MESSAGE_OVERHEAD, PROMPT_OVERHEAD

Count = Callable[[str], int]
Shorten = Callable[[str, int], str]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt that fits, and whether anything had to go for it."""

    messages: Sequence[PromptMessage]
    cut: bool


def surely_fits(messages: Sequence[PromptMessage], room: int) -> bool:
    """Whether a prompt fits whatever the tokenizer: no token is shorter than a byte."""
    return PROMPT_OVERHEAD + sum(_most_tokens(message) for message in messages) <= room


def fit(messages: Sequence[PromptMessage], room: int, count: Count, shorten: Shorten) -> Fitted:
    """The prompt in at most `room` tokens."""
    sizes = [MESSAGE_OVERHEAD + count(message.content) for message in messages]
    over = PROMPT_OVERHEAD + sum(sizes) - room
    if over <= 0:
        return Fitted(messages, cut=False)
    kept: list[PromptMessage] = []
    for place, message in enumerate(messages):
        if over > 0 and _may_go(message, last=place == len(messages) - 1):
            over -= sizes[place]
        else:
            kept.append(message)
    return Fitted(_shortened(kept, room, count, shorten) if over > 0 else kept, cut=True)


def _shortened(
    messages: Sequence[PromptMessage], room: int, count: Count, shorten: Shorten
) -> list[PromptMessage]:
    """Only messages that have to stay are left: the system's share half of the room if they need
    more, the last one gets the rest."""
    room -= PROMPT_OVERHEAD + MESSAGE_OVERHEAD * len(messages)
    *system, last = messages
    half = max(room // 2, room - count(last.content))
    kept: list[PromptMessage] = []
    for message in system:
        text = shorten(message.content, max(0, half))
        half -= count(text)
        room -= count(text)
        kept.append(PromptMessage(role=message.role, content=text))
    return [*kept, PromptMessage(role=last.role, content=shorten(last.content, max(0, room)))]


def _may_go(message: PromptMessage, *, last: bool) -> bool:
    return not last and message.role != MessageRole.MESSAGE_ROLE_SYSTEM


def _most_tokens(message: PromptMessage) -> int:
    return MESSAGE_OVERHEAD + len(message.content.encode())
