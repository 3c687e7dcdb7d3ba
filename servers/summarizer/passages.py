"""What is summarized: messages as passages, cut to what can be read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from servers.runtime.sharing import water_level

READ_CHARACTERS = 400_000
"""Of all texts of a summary together: a second of splitting, and seldom reached."""
FEWEST_OF_EPISODE = 4
"""An episode that is shorter belongs to the next one, as where episodes are claimed."""

SPEAKERS = {MessageRole.MESSAGE_ROLE_USER: "User", MessageRole.MESSAGE_ROLE_ASSISTANT: "Assistant"}
"""Who is heard, and what they are called without a name: not the system's words, and no tool's."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that was said; `speaker` is empty for a text without one."""

    speaker: str
    text: str


def passages_of(messages: Sequence[Message]) -> list[Passage]:
    """What people and the assistant said. Apologies of the runtime are about nothing."""
    heard = [
        Passage(message.author or SPEAKERS[message.role], message.content)
        for message in messages
        if message.role in SPEAKERS and "apology" not in message.metadata
    ]
    return shortened(heard, READ_CHARACTERS)


def shortened(passages: Sequence[Passage], room: int) -> list[Passage]:
    """The passages with at most `room` characters of text together: long ones lose their ends."""
    most = water_level([len(passage.text) for passage in passages], room)
    return [Passage(each.speaker, each.text[:most]) for each in passages]


def episode(messages: Sequence[Message], rest: timedelta) -> Sequence[Message]:
    """The messages up to the first rest between them, by the times at which they were said; all if
    there is none. An episode has FEWEST_OF_EPISODE messages at least: so the episodes of a
    conversation are the same whenever they are summarized."""
    for place in range(FEWEST_OF_EPISODE, len(messages)):
        before, after = messages[place - 1].timestamp, messages[place].timestamp
        if after.ToDatetime() - before.ToDatetime() >= rest:
            return messages[:place]
    return messages
