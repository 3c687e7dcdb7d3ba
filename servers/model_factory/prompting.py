"""From what is wanted to the prompt that a model can read; tokens are counted off the loop."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from kari.conversation_models.v1.context_pb2 import PromptMessage
from servers.model_factory.catalog import Known
from servers.model_factory.fitting import fit, surely_fits
from servers.model_factory.provider import Prompt
from servers.runtime import tokens
from servers.runtime.tokens import MESSAGE_OVERHEAD, PROMPT_OVERHEAD


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write. `max_tokens` 0 is the model's own limit."""

    messages: Sequence[PromptMessage]
    max_tokens: int
    temperature: float


async def prompt_for(model: Known, wanted: Wanted) -> tuple[Prompt, bool]:
    """The prompt, cut to the model's window less the answer, and whether anything had to go."""
    entry = model.entry
    most = min(wanted.max_tokens or entry.max_output_tokens, entry.max_output_tokens)
    room = entry.context_window - most
    if surely_fits(wanted.messages, room):
        return Prompt(entry, wanted.messages, most, wanted.temperature), False
    fitted = await asyncio.to_thread(
        fit,
        wanted.messages,
        room,
        partial(tokens.count, tokenizer=model.tokenizer),
        partial(tokens.shorten, tokenizer=model.tokenizer),
    )
    return Prompt(entry, fitted.messages, most, wanted.temperature), fitted.cut


async def tokens_of(model: Known, *texts: str) -> int:
    """Tokens of texts, as a model counts them."""
    return await asyncio.to_thread(
        lambda: sum(tokens.count(text, model.tokenizer) for text in texts)
    )


async def tokens_of_prompt(model: Known, prompt: Prompt) -> int:
    """Tokens of a prompt with all that is put around its messages."""
    around = MESSAGE_OVERHEAD * len(prompt.messages) + PROMPT_OVERHEAD
    return around + await tokens_of(model, *(message.content for message in prompt.messages))
