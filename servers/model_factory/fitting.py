"""Cutting a prompt down to what a model can read.

System messages, the user's last message and whatever is last stay; of the others the oldest go
first, and a tool's result goes and stays with the call that it belongs to. If what stays does not
fit, its texts are shortened: the system's to half of the room, the others share what is left. Pure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.tool_pb2 import Tool
from servers.model_factory.images import has_images, in_words, size_of_images
from servers.model_factory.tool_messages import readable, units
from servers.runtime.tokens import MESSAGE_OVERHEAD, PROMPT_OVERHEAD

Count = Callable[[str], int]
Shorten = Callable[[str, int], str]

CALL_OVERHEAD = 60
"""Most tokens around one call: its id, there and in the result, is 37 characters of hex."""

TOOL_OVERHEAD = 12
"""Most tokens around one tool that is offered."""

TOOLS_OVERHEAD = 350
"""Most tokens that say how tools are called: Anthropic names up to 346 for its models, the others
take fewer. https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview#pricing"""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt that fits, and whether anything had to go for it."""

    messages: Sequence[PromptMessage]
    cut: bool


def surely_fits(messages: Sequence[PromptMessage], tools: Sequence[Tool], room: int) -> bool:
    """Whether a prompt fits whatever the tokenizer: no token is shorter than a byte."""
    texts = sum(size_of(message, _bytes) for message in messages)
    return PROMPT_OVERHEAD + texts + size_of_tools(tools, _bytes) <= room


def size_of(message: PromptMessage, count: Count) -> int:
    """Tokens of a message with its images, its calls and what is put around them."""
    around = MESSAGE_OVERHEAD + size_of_images(message)
    return around + count(message.content) + _size_of_calls(message, count)


def size_of_tools(tools: Sequence[Tool], count: Count) -> int:
    """Tokens that it takes to tell of tools."""
    around = TOOLS_OVERHEAD if tools else 0
    return around + sum(_size_of_tool(tool, count) for tool in tools)


def offered(tools: Sequence[Tool], room: int, count: Count) -> Sequence[Tool]:
    """The first tools that take at most half of the room."""
    left = room // 2 - TOOLS_OVERHEAD
    for place, tool in enumerate(tools):
        left -= _size_of_tool(tool, count)
        if left < 0:
            return tools[:place]
    return tools


def fit(messages: Sequence[PromptMessage], room: int, count: Count, shorten: Shorten) -> Fitted:
    """The prompt in at most `room` tokens."""
    parts = list(units(messages))
    sizes = [sum(size_of(message, count) for message in part) for part in parts]
    over = PROMPT_OVERHEAD + sum(sizes) - room
    if over <= 0:
        return Fitted(messages, cut=False)
    stay = _staying(parts)
    kept: list[PromptMessage] = []
    for place, part in enumerate(parts):
        if over > 0 and place not in stay:
            over -= sizes[place]
        else:
            kept += part
    return Fitted(_shortened(kept, room, count, shorten) if over > 0 else kept, cut=True)


def _staying(parts: Sequence[Sequence[PromptMessage]]) -> set[int]:
    """Places of the parts that are not dropped."""
    roles = [part[0].role for part in parts]
    asked = [i for i, role in enumerate(roles) if role == MessageRole.MESSAGE_ROLE_USER]
    system = [i for i, role in enumerate(roles) if role == MessageRole.MESSAGE_ROLE_SYSTEM]
    return {*system, *asked[-1:], len(parts) - 1}


def _shortened(
    messages: Sequence[PromptMessage], room: int, count: Count, shorten: Shorten
) -> Sequence[PromptMessage]:
    """Only messages that have to stay are left: the system's share half of the room if they need
    more, the others share the rest. Images and calls cannot be shortened: if they alone are too
    much, they are told as text, which can."""
    around = PROMPT_OVERHEAD + MESSAGE_OVERHEAD * len(messages)
    left = room - around - sum(_size_beside(message, count) for message in messages)
    if left < 0 and has_images(messages):
        return _shortened([in_words(message) for message in messages], room, count, shorten)
    if left < 0 and any(message.tool_calls for message in messages):
        return _shortened(readable(messages, reads_calls=False), room, count, shorten)
    system = [place for place, message in enumerate(messages[:-1]) if _is_system(message)]
    others = [place for place in range(len(messages)) if place not in system]
    texts = {place: messages[place].content for place in range(len(messages))}
    half = max(left // 2, left - sum(count(texts[place]) for place in others))
    for place in system:
        texts[place] = shorten(texts[place], max(0, half))
        half -= count(texts[place])
        left -= count(texts[place])
    texts |= dict(_shared({place: texts[place] for place in others}, left, count, shorten))
    return [_with_text(message, texts[place]) for place, message in enumerate(messages)]


def _shared(
    texts: dict[int, str], room: int, count: Count, shorten: Shorten
) -> Iterator[tuple[int, str]]:
    """Each text in its share: as much as the others have, or what they leave."""
    after = sum(count(text) for text in texts.values())
    for place, (key, text) in enumerate(texts.items()):
        after -= count(text)
        share = max(room // (len(texts) - place), room - after)
        text = shorten(text, max(0, share))
        room -= count(text)
        yield key, text


def _with_text(message: PromptMessage, text: str) -> PromptMessage:
    changed = PromptMessage()
    changed.CopyFrom(message)
    changed.content = text
    return changed


def _is_system(message: PromptMessage) -> bool:
    return message.role == MessageRole.MESSAGE_ROLE_SYSTEM


def _size_beside(message: PromptMessage, count: Count) -> int:
    return size_of_images(message) + _size_of_calls(message, count)


def _size_of_calls(message: PromptMessage, count: Count) -> int:
    calls = message.tool_calls
    if not calls:
        return 0
    return sum(CALL_OVERHEAD + count(c.tool_id) + count(c.arguments_json) for c in calls)


def _size_of_tool(tool: Tool, count: Count) -> int:
    texts = (tool.id, tool.description, tool.parameters_schema)
    return TOOL_OVERHEAD + sum(count(text) for text in texts)


def _bytes(text: str) -> int:
    return len(text.encode())
