"""Prompts against the tokenizers of the models that read them: pure, so no event loop."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kari.context_integrator.v1.context_integrator_pb2 import AssembleRequest
from kari.conversation_models.v1.context_pb2 import ContextBundle, PromptMessage
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.model_pb2 import Tokenizer
from servers.context_integrator.assembly import assemble
from servers.context_integrator.candidates import Findings
from servers.runtime.names import short
from servers.runtime.tokens import count, shorten
from tests.context_integrator.findings import earlier, found, known, message, recent, summary

SMOLLM2, O200K = Tokenizer.TOKENIZER_SMOLLM2, Tokenizer.TOKENIZER_O200K

PIECES = (
    *("word", " wombat", "'s", "I'LL", "12345", "...", "!?", "//", "--", "```", "- [", "]:", "-"),
    *(" ", "   ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u2028", "\u3000", "\x02", "\x1f", "\x7f"),
    *("\u4e2d\u6587", "\u0e44\u0e17\u0e22", "\u0416\u0443\u043a", "e\u0301", "\u200d", "\ufffd"),
    *("\U0001f469\u200d\U0001f52c", "\U0001f1e9\U0001f1ea", "\U000e0041", "<|im_end|>", "<s>"),
)
TEXT = st.lists(st.sampled_from(PIECES), min_size=1, max_size=40).map("".join)
TEXTS = st.lists(TEXT, max_size=8)


def in_chatml(messages: Sequence[PromptMessage]) -> int:
    """Tokens of a prompt as SmolLM2's template writes it. Its marks are a token each."""
    told = sum(
        3 + count(f"{short(MessageRole, each.role)}\n{each.content}", SMOLLM2) for each in messages
    )
    return told + 1 + count("assistant\n", SMOLLM2)


def at_openai(messages: Sequence[PromptMessage]) -> int:
    """Tokens of a prompt as OpenAI counts them: three around each message, three at the end."""
    told = sum(
        3 + count(short(MessageRole, each.role), O200K) + count(each.content, O200K)
        for each in messages
    )
    return told + 3


@pytest.mark.parametrize(("tokenizer", "counted"), [(SMOLLM2, in_chatml), (O200K, at_openai)])
@settings(max_examples=150)
@given(
    thread=TEXTS,
    pinned=TEXTS,
    memories=TEXTS,
    earlier_=TEXTS,
    results=TEXTS,
    instructions=TEXT,
    current=TEXT,
    author=TEXT,
    budget=st.integers(64, 700),
)
def test_no_prompt_has_more_tokens_than_its_budget(
    tokenizer: Tokenizer.ValueType,
    counted: Callable[[Sequence[PromptMessage]], int],
    thread: list[str],
    pinned: list[str],
    memories: list[str],
    earlier_: list[str],
    results: list[str],
    instructions: str,
    current: str,
    author: str,
    budget: int,
) -> None:
    """However its texts fall into tokens, alone and together; nor more than the manifest says."""
    past = [message(1 + i, text, 7) for i, text in enumerate(results)]
    for each in past:
        each.author = author
    items = [
        *recent(*(message(100 + i, text) for i, text in enumerate(thread))),
        *(earlier(message(50 + i, text), 0.9) for i, text in enumerate(earlier_)),
        *(known(f"mem_{i}", text, 0.9) for i, text in enumerate(memories)),
        summary(1, 1, 40, author),
    ]
    pins = [message(10 + i, text) for i, text in enumerate(pinned)]
    memories_, found_ = found(*items, results=[(each, 0.9) for each in past])
    request = AssembleRequest(
        conversation=Conversation(
            id=f"conv_{0:032x}",
            pinned_message_ids=[pin.id for pin in pins],
            system_instructions=instructions,
        ),
        current_message=message(1000, current),
        budget_tokens=budget,
        tokenizer=tokenizer,
    )
    bundle: ContextBundle = assemble(
        request,
        Findings(memories_, pins, found_),
        partial(count, tokenizer=tokenizer),
        partial(shorten, tokenizer=tokenizer),
    )
    assert counted(bundle.messages) <= bundle.manifest.tokens <= budget
