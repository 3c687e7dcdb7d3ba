"""Counting tokens as models do, and cutting texts to a number of them.

SmolLM2's tokenizer is built from the head of its GGUF file, so nothing else has to be loaded for
it. Tokenizers are made when first needed (SmolLM2 0.2 s and 50 MB; cl100k and o200k 0.5 s and 160
MB) and kept. Counting takes about 10 ms per 10,000 characters: cut large texts off the event loop.
"""

from functools import cache
from typing import Protocol

from kari.conversation_models.v1.model_pb2 import Tokenizer
from servers.runtime import gguf
from servers.runtime.remembering import remembered
from servers.runtime.weights import SMOLLM2, checked

MESSAGE_OVERHEAD = 6
"""Most tokens that wrap one message of a prompt: SmolLM2's template takes 5, or 6 around the
assistant's; OpenAI's takes 3."""

PROMPT_OVERHEAD = 4
"""Most tokens that open the answer at the end of a prompt: 4 for SmolLM2, 3 for OpenAI."""


class Counter(Protocol):
    """One way of cutting a text into tokens."""

    def count(self, text: str) -> int:
        """Number of tokens of a text."""

    def first(self, text: str, tokens: int) -> str:
        """About the first `tokens` tokens of a text, which has more."""


@remembered
def count(text: str, tokenizer: Tokenizer.ValueType) -> int:
    """Number of tokens of a text; 0 for an empty one."""
    return _counter(tokenizer).count(text)


def shorten(text: str, tokens: int, tokenizer: Tokenizer.ValueType) -> str:
    """The longest beginning of a text that was found to have at most `tokens` tokens; the text
    itself if it fits."""
    counter = _counter(tokenizer)
    wanted = max(0, tokens)
    while text and counter.count(text) > tokens:
        text = counter.first(text, wanted)
        # A beginning may fall into other tokens than it did within the whole text.
        wanted -= 1
    return text


class _SmolLM2:
    """Byte-level BPE as llama.cpp's `smollm` does it: digits one by one, then GPT-2's rules."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer as Bpe
        from tokenizers import models, pre_tokenizers

        with checked(SMOLLM2).open("rb") as file:
            head = gguf.metadata(file)
        vocabulary = {token: i for i, token in enumerate(_texts(head["tokenizer.ggml.tokens"]))}
        merges = [(a, b) for a, _, b in (m.partition(" ") for m in _texts(head[_MERGES]))]
        self._bpe = Bpe(models.BPE(vocab=vocabulary, merges=merges))
        self._bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )

    def ids(self, text: str) -> list[int]:
        """The tokens themselves."""
        return self._bpe.encode(text, add_special_tokens=False).ids

    def count(self, text: str) -> int:
        """Number of tokens of a text."""
        return len(self.ids(text))

    def first(self, text: str, tokens: int) -> str:
        """About the first `tokens` tokens of a text; a character cut in two is left out."""
        offsets = self._bpe.encode(text, add_special_tokens=False).offsets
        return text[: min(offsets[tokens][0], offsets[tokens - 1][1])] if tokens else ""


class _OpenAi:
    """One of OpenAI's encodings."""

    def __init__(self, encoding: str) -> None:
        from bpe_openai import _bindings  # type: ignore[import-untyped]  # it has no types

        self._bpe = _bindings.tokenizer_for_encoding(encoding)

    def count(self, text: str) -> int:
        """Number of tokens of a text."""
        return int(self._bpe.count(text))

    def first(self, text: str, tokens: int) -> str:
        """About the first `tokens` tokens of a text; a character cut in two is left out."""
        ids = self._bpe.encode(text)
        for end in range(tokens, 0, -1):
            try:
                return str(self._bpe.decode(ids[:end]))
            except ValueError:  # the cut is inside a character
                continue
        return ""


_MERGES = "tokenizer.ggml.merges"


@cache
def _counter(tokenizer: Tokenizer.ValueType) -> Counter:
    if tokenizer == Tokenizer.TOKENIZER_SMOLLM2:
        return _SmolLM2()
    cl100k = tokenizer == Tokenizer.TOKENIZER_CL100K
    return _OpenAi("cl100k_base" if cl100k else "o200k_base")


def _texts(value: gguf.Value) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
