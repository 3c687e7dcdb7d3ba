"""The chat completions API, streamed, as OpenAI and everyone compatible with it speak it. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import FinishReason
from servers.model_factory.answer import ProviderEvent, Reasoning, Stopped, Text, Used, Working
from servers.model_factory.events import ServerSentEvent
from servers.model_factory.failure import Kind, ProviderFailure
from servers.model_factory.provider import Prompt
from servers.model_factory.wire import ErrorBody, code_of

# A tool's result needs the call it answers, which prompts do not carry: it is quoted as a user's.
ROLES: Mapping[MessageRole.ValueType, str] = {
    MessageRole.MESSAGE_ROLE_SYSTEM: "system",
    MessageRole.MESSAGE_ROLE_ASSISTANT: "assistant",
}

REASONS: Mapping[str, FinishReason.ValueType] = {
    "length": FinishReason.FINISH_REASON_LENGTH,
    "content_filter": FinishReason.FINISH_REASON_CONTENT_FILTER,
}
"""Any other reason means that it was done."""


class Delta(msgspec.Struct, frozen=True):
    """What a chunk adds. DeepSeek, vLLM and llama.cpp name reasoning one way, OpenRouter not."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


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
    fields: dict[str, Any] = {
        "model": model.id,
        "messages": [
            {"role": ROLES.get(message.role, "user"), "content": message.content}
            for message in prompt.messages
        ],
        "stream": True,
        model.max_tokens_field: prompt.max_tokens,
    }
    if model.takes_temperature:
        fields["temperature"] = prompt.temperature
    if reports_usage:
        fields["stream_options"] = {"include_usage": True}
    return {**fields, **model.extra}


class OpenAiDialect:
    """Events of one answer."""

    def __init__(self) -> None:
        self.over = False
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
        if choice.finish_reason and self._reason is None:
            events += self._stop(REASONS.get(choice.finish_reason, FinishReason.FINISH_REASON_STOP))
        return events

    def _stop(self, reason: FinishReason.ValueType) -> list[ProviderEvent]:
        self._reason = reason
        return [Stopped(reason)]
