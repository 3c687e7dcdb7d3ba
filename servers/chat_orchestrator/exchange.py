"""What was said between a model and its tools, as the rest of a prompt. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import Model, Tokenizer
from kari.conversation_models.v1.tool_pb2 import ToolStep
from servers.chat_orchestrator.untrusted import asked, left_out, told
from servers.runtime.tokens import MESSAGE_OVERHEAD, count


@dataclass(frozen=True)
class Room:
    """How much of a window the exchange may take, in tokens: one result, and all of it."""

    result: int
    whole: int
    tokenizer: Tokenizer.ValueType

    @classmethod
    def beside(cls, model: Model, prompt_tokens: int, share: float) -> "Room":
        """What a prompt of so many tokens leaves, with a quarter of the window for the answer;
        room for one result there always is."""
        window = model.context_window
        result = max(64, int(window * share))
        left = window - window // 4 - prompt_tokens
        return cls(result, max(result, left), model.tokenizer)


def messages_of(steps: Sequence[ToolStep], room: Room, *, detected: bool) -> list[PromptMessage]:
    """The messages that follow the prompt: for each round what the model said and asked for, then
    what came of it. Steps that the runtime took by itself are results alone. Where there is too
    much of it the oldest results are left out."""
    rounds = [list(each) for _, each in groupby(steps, key=lambda step: step.round)]
    messages = [m for each in rounds for m in _round(each, room, detected=detected)]
    results = {step.call.id: step.result for step in steps}
    sizes = [_size(message, room.tokenizer) for message in messages]
    tools = (i for i, m in enumerate(messages) if m.role == MessageRole.MESSAGE_ROLE_TOOL)
    for index, step in zip(tools, steps, strict=True):
        if sum(sizes) <= room.whole:
            break
        messages[index].content = left_out(results[step.call.id])
        sizes[index] = _size(messages[index], room.tokenizer)
    return messages


def text_of(steps: Iterable[ToolStep]) -> str:
    """The text that was written before and between the calls, as it was streamed."""
    return "".join(step.text_before for step in steps)


def _round(steps: Sequence[ToolStep], room: Room, *, detected: bool) -> list[PromptMessage]:
    results = [
        PromptMessage(
            role=MessageRole.MESSAGE_ROLE_TOOL,
            content=told(step.result, room.result, room.tokenizer),
            tool_call_id="" if detected else step.call.id,
        )
        for step in steps
    ]
    if detected:
        return results
    calls = [asked(step.call, room.result, room.tokenizer) for step in steps]
    said = PromptMessage(
        role=MessageRole.MESSAGE_ROLE_ASSISTANT,
        content=steps[0].text_before.strip(),
        tool_calls=calls,
    )
    return [said, *results]


def _size(message: PromptMessage, tokenizer: Tokenizer.ValueType) -> int:
    calls = (f"{call.tool_id} {call.arguments_json}" for call in message.tool_calls)
    texts = (message.content, *calls)
    return sum(count(text, tokenizer) + MESSAGE_OVERHEAD for text in texts)
