"""The chat completions API, streamed, as OpenAI and everyone compatible with it speak it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import FinishReason
from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall
from servers.model_factory.answer import (
    Calling,
    ProviderEvent,
    Reasoning,
    Stopped,
    Text,
    Used,
    Working,
)
from servers.model_factory.events import ServerSentEvent
from servers.model_factory.failure import Kind, ProviderFailure
from servers.model_factory.images import encoded
from servers.model_factory.provider import Prompt
from servers.model_factory.tool_arguments import as_object_text
from servers.model_factory.tool_declarations import described, schema_of
from servers.model_factory.tool_names import ToolNames
from servers.model_factory.tool_pieces import ToolPieces
from servers.model_factory.wire import ErrorBody, code_of

LONGEST_DESCRIPTION = 1024
"""Characters of a tool's description; OpenAI refuses a request with a longer one."""

# What a tool gave without having been asked by the model is told as a user's message.
ROLES: Mapping[MessageRole.ValueType, str] = {
    MessageRole.MESSAGE_ROLE_SYSTEM: "system",
    MessageRole.MESSAGE_ROLE_ASSISTANT: "assistant",
}

REASONS: Mapping[str, FinishReason.ValueType] = {
    "length": FinishReason.FINISH_REASON_LENGTH,
    "content_filter": FinishReason.FINISH_REASON_CONTENT_FILTER,
}
"""Any other reason means that it was done."""


class Function(msgspec.Struct, frozen=True):
    """Piece of a call. Some servers send the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None

    def text(self) -> str:
        """The piece of the arguments."""
        if isinstance(self.arguments, dict):
            return msgspec.json.encode(self.arguments).decode()
        return self.arguments or ""


class CallDelta(msgspec.Struct, frozen=True):
    """What a chunk adds to a call; only the first piece of one has its id and name."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct, frozen=True):
    """What a chunk adds. DeepSeek, vLLM and llama.cpp name reasoning one way, OpenRouter not."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallDelta] | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    """One of the answers of a chunk; only one is asked for."""

    delta: Delta | None = None
    finish_reason: str | None = None


class ChunkUsage(msgspec.Struct, frozen=True):
    """Tokens of the whole request."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Chunk(msgspec.Struct, frozen=True):
    """One event of the stream. `prompt_progress` is llama.cpp's."""

    choices: list[ChunkChoice] | None = None
    usage: ChunkUsage | None = None
    error: ErrorBody | str | None = None
    prompt_progress: dict[str, float] | None = None


_DECODER = msgspec.json.Decoder(Chunk)


def body(prompt: Prompt, *, reports_usage: bool) -> dict[str, Any]:
    """The request's body."""
    model = prompt.model
    names = ToolNames.of(prompt.tools, prompt.messages)
    fields: dict[str, Any] = {
        "model": model.id,
        "messages": [_message(message, names) for message in prompt.messages],
        "stream": True,
        model.max_tokens_field: prompt.max_tokens,
    }
    if model.takes_temperature:
        fields["temperature"] = prompt.temperature
    if reports_usage:
        fields["stream_options"] = {"include_usage": True}
    if prompt.tools:
        fields["tools"] = [_declaration(tool, names) for tool in prompt.tools]
    return {**fields, **model.extra}


class OpenAiDialect:
    """Events of one answer."""

    def __init__(self, names: ToolNames | None = None) -> None:
        self.over = False
        self._pieces = ToolPieces(names or ToolNames())
        self._reason: FinishReason.ValueType | None = None

    def read(self, event: ServerSentEvent) -> list[ProviderEvent]:
        """What an event says. The end is told once: with the reason, or by `[DONE]` without one."""
        if event.data.strip() == b"[DONE]":
            self.over = True
            return self._stop(FinishReason.FINISH_REASON_STOP) if self._reason is None else []
        chunk = _DECODER.decode(event.data)
        if chunk.error is not None:
            raise ProviderFailure(Kind.SERVER, code=code_of(chunk.error))
        events = [e for choice in chunk.choices or () for e in self._of_choice(choice)]
        if chunk.usage is not None:
            events.append(Used(chunk.usage.prompt_tokens, chunk.usage.completion_tokens))
        return events or ([Working()] if chunk.prompt_progress is not None else [])

    def _of_choice(self, choice: ChunkChoice) -> list[ProviderEvent]:
        events: list[ProviderEvent] = []
        delta = choice.delta or Delta()
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            events.append(Reasoning(thought))
        if delta.content:
            events.append(Text(delta.content))
        events += self._of_calls(delta.tool_calls or ())
        if choice.finish_reason and self._reason is None:
            events += self._stop(REASONS.get(choice.finish_reason, FinishReason.FINISH_REASON_STOP))
        return events

    def _stop(self, reason: FinishReason.ValueType) -> list[ProviderEvent]:
        self._reason = reason
        return [*self._pieces.whole(), Stopped(reason)]

    def _of_calls(self, deltas: Iterable[CallDelta]) -> Iterator[ProviderEvent]:
        for delta in deltas:
            function = delta.function or Function()
            name, text = function.name or "", function.text()
            if self._pieces.take(delta.index, delta.id or "", name, text):
                yield Calling()


def _message(message: PromptMessage, names: ToolNames) -> dict[str, Any]:
    if message.tool_call_id:
        call_id = message.tool_call_id
        return {"role": "tool", "tool_call_id": call_id, "content": message.content}
    fields: dict[str, Any] = {"role": ROLES.get(message.role, "user"), "content": message.content}
    if message.images:
        fields["content"] = list(_parts(message))
    if message.tool_calls:
        fields["content"] = message.content or None
        fields["tool_calls"] = [_call(call, names) for call in message.tool_calls]
    return fields


def _parts(message: PromptMessage) -> Iterator[dict[str, Any]]:
    """Each image after its name, then the text."""
    for image in message.images:
        if image.name:
            yield {"type": "text", "text": f"{image.name}:"}
        url = f"data:{image.content_type};base64,{encoded(image)}"
        yield {"type": "image_url", "image_url": {"url": url}}
    if message.content:
        yield {"type": "text", "text": message.content}


def _call(call: ToolCall, names: ToolNames) -> dict[str, Any]:
    name = names.on_the_wire(call.tool_id)
    function = {"name": name, "arguments": as_object_text(call.arguments_json)}
    return {"id": call.id, "type": "function", "function": function}


def _declaration(tool: Tool, names: ToolNames) -> dict[str, Any]:
    function = {
        "name": names.on_the_wire(tool.id),
        "description": described(tool, LONGEST_DESCRIPTION),
        "parameters": schema_of(tool),
    }
    return {"type": "function", "function": function}
