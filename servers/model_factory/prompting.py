"""From what is wanted to the prompt that a model can read; tokens are counted off the loop."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from kari.conversation_models.v1.context_pb2 import PromptMessage
from kari.conversation_models.v1.degradation_pb2 import Feature
from kari.conversation_models.v1.tool_pb2 import Tool
from servers.model_factory.catalog import Known
from servers.model_factory.fitting import (
    Count,
    Shorten,
    fit,
    offered,
    size_of,
    size_of_tools,
    surely_fits,
)
from servers.model_factory.images import has_images, placed
from servers.model_factory.provider import Prompt
from servers.model_factory.tool_messages import readable
from servers.runtime import tokens
from servers.runtime.tokens import PROMPT_OVERHEAD


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write. `max_tokens` 0 is the model's own limit."""

    messages: Sequence[PromptMessage]
    max_tokens: int
    temperature: float
    tools: Sequence[Tool] = ()


async def prompt_for(
    model: Known, wanted: Wanted, *, plain: bool = False
) -> tuple[Prompt, Sequence[Feature.ValueType]]:
    """The prompt, cut to the model's window less the answer, and what is missing if anything had
    to go. Models that do not call tools are told of none, those that do not see read the names of
    images; so does any if it is to be plain."""
    entry = model.entry
    most = min(wanted.max_tokens or entry.max_output_tokens, entry.max_output_tokens)
    room = entry.context_window - most
    messages = placed(wanted.messages, sees=entry.sees and not plain)
    messages = readable(messages, reads_calls=entry.reads_calls and not plain)
    tools = wanted.tools if entry.calls_tools and not plain else ()
    whole = Prompt(entry, messages, most, wanted.temperature, tools)
    unseen = has_images(wanted.messages) and not entry.sees
    missing = [Feature.FEATURE_IMAGES] if unseen else []
    if surely_fits(messages, tools, room):
        return whole, missing
    count = partial(tokens.count, tokenizer=model.tokenizer)
    shorten = partial(tokens.shorten, tokenizer=model.tokenizer)
    cut, more = await asyncio.to_thread(_cut, whole, room, count, shorten)
    return cut, [*missing, *more]


def _cut(
    whole: Prompt, room: int, count: Count, shorten: Shorten
) -> tuple[Prompt, Sequence[Feature.ValueType]]:
    tools = offered(whole.tools, room, count)
    fitted = fit(whole.messages, room - size_of_tools(tools, count), count, shorten)
    missing = [Feature.FEATURE_FULL_CONTEXT] if fitted.cut else []
    if len(tools) < len(whole.tools):
        missing.append(Feature.FEATURE_TOOLS)
    return Prompt(whole.model, fitted.messages, whole.max_tokens, whole.temperature, tools), missing


async def tokens_of(model: Known, *texts: str) -> int:
    """Tokens of texts, as a model counts them."""
    return await asyncio.to_thread(
        lambda: sum(tokens.count(text, model.tokenizer) for text in texts)
    )


async def tokens_of_prompt(model: Known, prompt: Prompt) -> int:
    """Tokens of a prompt with all that is put around its messages, its tools included."""
    count = partial(tokens.count, tokenizer=model.tokenizer)
    return await asyncio.to_thread(
        lambda: (
            PROMPT_OVERHEAD
            + size_of_tools(prompt.tools, count)
            + sum(size_of(message, count) for message in prompt.messages)
        )
    )
