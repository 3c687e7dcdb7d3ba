"""Budgets, and the prompt of last resort. Pure."""

from kari.conversation_models.v1.context_pb2 import (
    ContextBundle,
    ContextManifest,
    ContextSource,
    ContextVerdict,
    PromptMessage,
)
from kari.conversation_models.v1.conversation_pb2 import ContextSnapshot
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import Model
from servers.runtime.names import short

# Characters of a message that fit any model's window when nothing can be counted.
MINIMAL_CHARACTERS = 2_000
MINIMAL_INSTRUCTIONS = 1_000

BASE = "You are Kari, a helpful assistant."

APOLOGY = (
    "I am sorry: no model could answer just now. Your message is saved; please try again in a "
    "moment."
)


def budget(model: Model, most: int, taken: int = 0) -> int:
    """Tokens that a context may have: what the window leaves beside an answer and what tools have
    taken of it, at most `most`. An answer is left at least a quarter of the window."""
    answer = min(model.max_output_tokens or model.context_window, model.context_window // 2)
    left = model.context_window - max(answer, model.context_window // 4) - taken
    return max(64, min(most, left))


def minimal(content: str, instructions: str) -> ContextBundle:
    """The message alone, with the conversation's own instructions (empty if it has none), for when
    no context can be had."""
    message = PromptMessage(
        role=MessageRole.MESSAGE_ROLE_USER, content=content[:MINIMAL_CHARACTERS]
    )
    told = f"{BASE}\n\n{instructions.strip()[:MINIMAL_INSTRUCTIONS]}".strip()
    system = PromptMessage(role=MessageRole.MESSAGE_ROLE_SYSTEM, content=told)
    return ContextBundle(messages=[system, message])


def tokens_by_source(manifest: ContextManifest) -> dict[str, int]:
    """Tokens of the kept candidates, by source in lower case."""
    found: dict[str, int] = {}
    for candidate in manifest.candidates:
        if candidate.verdict in _IN_PROMPT:
            name = short(ContextSource, candidate.source)
            found[name] = found.get(name, 0) + candidate.tokens
    return found


def snapshot(turn_id: str, manifest: ContextManifest) -> ContextSnapshot:
    """What the context was made of, in numbers."""
    kept = sum(candidate.verdict in _IN_PROMPT for candidate in manifest.candidates)
    return ContextSnapshot(
        turn_id=turn_id,
        tokens=manifest.tokens,
        kept=kept,
        cut=len(manifest.candidates) - kept,
        prompt_hash=manifest.prompt_hash,
    )


_IN_PROMPT = (ContextVerdict.CONTEXT_VERDICT_KEPT, ContextVerdict.CONTEXT_VERDICT_SHORTENED)
