"""Anthropic's messages API, streamed. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import FinishReason
from kari.conversation_models.v1.tool_pb2 import Tool, ToolCall
from servers.model_factory.answer import Calling, ProviderEvent, Reasoning, Stopped, Text, Used
from servers.model_factory.events import ServerSentEvent
from servers.model_factory.failure import Kind, ProviderFailure
from servers.model_factory.images import encoded
from servers.model_factory.provider import Prompt
from servers.model_factory.tool_arguments import as_object_text
from servers.model_factory.tool_declarations import described, schema_of
from servers.model_factory.tool_names import ToolNames
from servers.model_factory.tool_pieces import ToolPieces
from servers.model_factory.wire import ErrorBody, code_of

# Looking a value up in its enum takes longer than everything else that is done with a message.
_ASSISTANT = MessageRole.MESSAGE_ROLE_ASSISTANT
_SYSTEM = MessageRole.MESSAGE_ROLE_SYSTEM

VERSION = "2023-06-01"
HOTTEST = 1.0
"""This API's highest temperature; ours is 2."""

REASONS: Mapping[str, FinishReason.ValueType] = {
    "max_tokens": FinishReason.FINISH_REASON_LENGTH,
    "model_context_window_exceeded": FinishReason.FINISH_REASON_LENGTH,
    "refusal": FinishReason.FINISH_REASON_CONTENT_FILTER,
}
"""Any other reason means that it was done."""

FAILURES: Mapping[str, Kind] = {
    "overloaded_error": Kind.OVERLOADED,
    "rate_limit_error": Kind.OVERLOADED,
    "timeout_error": Kind.SERVER,
    "api_error": Kind.SERVER,
}
"""Kinds of the errors inside a stream; any other one refuses the request."""


class Tokens(msgspec.Struct, frozen=True):
    """Tokens so far. What was read from a cache was part of the prompt all the same."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None

    def used(self) -> Used:
        """As the chain counts them."""
        cached = (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)
        prompt = None if self.input_tokens is None else self.input_tokens + cached
        return Used(prompt, self.output_tokens)


class Begun(msgspec.Struct, frozen=True):
    """The message of `message_start`."""

    usage: Tokens | None = None


class Delta(msgspec.Struct, frozen=True):
    """Delta of `content_block_delta` (text, thinking or a piece of a call's arguments) and of
    `message_delta` (stop reason)."""

    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    stop_reason: str | None = None


class Block(msgspec.Struct, frozen=True):
    """Block of `content_block_start`. The input of a call is empty here and comes in pieces;
    some servers send it whole."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None


class Event(msgspec.Struct, frozen=True):
    """Any event of the stream; kinds that are not known say nothing."""

    type: str
    index: int = 0
    message: Begun | None = None
    content_block: Block | None = None
    delta: Delta | None = None
    usage: Tokens | None = None
    error: ErrorBody | None = None


_DECODER = msgspec.json.Decoder(Event)


def body(prompt: Prompt) -> dict[str, Any]:
    """The request's body: system messages apart from the others."""
    names = ToolNames.of(prompt.tools, prompt.messages)
    system = [m.content for m in prompt.messages if m.role == _SYSTEM]
    fields: dict[str, Any] = {
        "model": prompt.model.id,
        "messages": list(_turns(prompt.messages, names)),
        "stream": True,
        "max_tokens": prompt.max_tokens,
    }
    if any(system):
        fields["system"] = "\n\n".join(text for text in system if text)
    if prompt.model.takes_temperature:
        fields["temperature"] = min(prompt.temperature, HOTTEST)
    if prompt.tools:
        fields["tools"] = [_declaration(tool, names) for tool in prompt.tools]
    return {**fields, **prompt.model.extra}


class AnthropicDialect:
    """Events of one answer."""

    def __init__(self, names: ToolNames | None = None) -> None:
        self.over = False
        self._pieces = ToolPieces(names or ToolNames())
        self._reason = FinishReason.FINISH_REASON_STOP

    def read(self, event: ServerSentEvent) -> list[ProviderEvent]:
        """What an event says. The answer is complete with `message_stop`, not before."""
        said = _DECODER.decode(event.data)
        if said.type == "error":
            code = code_of(said.error)
            raise ProviderFailure(FAILURES.get(code, Kind.REJECTED), code=code)
        if said.type == "message_stop":
            self.over = True
            return [*self._pieces.whole(), Stopped(self._reason)]
        if said.content_block is not None:
            return self._begun(said.index, said.content_block)
        return [*self._of_delta(said.index, said.delta or Delta()), *_used(said)]

    def _begun(self, index: int, block: Block) -> list[ProviderEvent]:
        """A block begins. Tools that the provider runs by itself are none of ours."""
        self._pieces.close(index)
        if block.type != "tool_use":
            return []
        self._pieces.begin(index, block.id or "", block.name or "")
        if block.input:
            self._pieces.add(index, msgspec.json.encode(block.input).decode())
        return [Calling()]

    def _of_delta(self, index: int, delta: Delta) -> Iterator[ProviderEvent]:
        if delta.thinking:
            yield Reasoning(delta.thinking)
        if delta.text:
            yield Text(delta.text)
        if delta.partial_json:
            self._pieces.add(index, delta.partial_json)
            yield Calling()
        if delta.stop_reason:
            self._reason = REASONS.get(delta.stop_reason, self._reason)


def _used(said: Event) -> Iterator[ProviderEvent]:
    usage = said.usage or (said.message.usage if said.message else None)
    if usage is not None:
        yield usage.used()


def _turns(messages: Sequence[PromptMessage], names: ToolNames) -> Iterator[dict[str, Any]]:
    """The messages that are not the system's. The API wants a user's first, none empty, and all
    results of a round in one."""
    first = True
    results: list[dict[str, Any]] = []
    for message in messages:
        if message.tool_call_id:
            results.append(_result(message))
            continue
        if results:
            yield {"role": "user", "content": results}
            results = []
        content = _content(message, names)
        if message.role == _SYSTEM or not content:
            continue
        speaker = "assistant" if message.role == _ASSISTANT else "user"
        if first and speaker == "assistant":
            yield {"role": "user", "content": "(What was said before is left out.)"}
        yield {"role": speaker, "content": content}
        first = False
    if results:
        yield {"role": "user", "content": results}


def _content(message: PromptMessage, names: ToolNames) -> str | list[dict[str, Any]]:
    if message.images:
        return list(_blocks(message))
    if not message.tool_calls:
        return message.content
    text = [{"type": "text", "text": message.content}] if message.content.strip() else []
    return [*text, *(_use(call, names) for call in message.tool_calls)]


def _blocks(message: PromptMessage) -> Iterator[dict[str, Any]]:
    """Each image after its name, then the text; none may be empty."""
    for image in message.images:
        if image.name.strip():
            yield {"type": "text", "text": f"{image.name}:"}
        source = {"type": "base64", "media_type": image.content_type, "data": encoded(image)}
        yield {"type": "image", "source": source}
    if message.content.strip():
        yield {"type": "text", "text": message.content}


def _use(call: ToolCall, names: ToolNames) -> dict[str, Any]:
    arguments = msgspec.Raw(as_object_text(call.arguments_json).encode())
    name = names.on_the_wire(call.tool_id)
    return {"type": "tool_use", "id": call.id, "name": name, "input": arguments}


def _result(message: PromptMessage) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": message.tool_call_id}
    return {**result, "content": message.content} if message.content else result


def _declaration(tool: Tool, names: ToolNames) -> dict[str, Any]:
    return {
        "name": names.on_the_wire(tool.id),
        "description": described(tool),
        "input_schema": schema_of(tool),
    }
