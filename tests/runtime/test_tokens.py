"""Counting tokens and cutting texts to them."""

import io
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kari.conversation_models.v1.model_pb2 import Tokenizer
from servers.runtime import gguf, tokens, weights
from servers.runtime.weights import Weights, WeightsWrong

KINDS = [Tokenizer.TOKENIZER_SMOLLM2, Tokenizer.TOKENIZER_CL100K, Tokenizer.TOKENIZER_O200K]

# By llama.cpp (xllamacpp 2026.10.11549) from the same file: `tokens_evaluated` of a completion.
COUNTED_BY_LLAMA = {
    "Hello world": 2,
    "  leading": 2,
    "12345 67.89": 11,
    "don't we'll I'M": 7,
    "naïve café 世界 😀👩‍👩‍👧": 24,
    "def f(x):\n    return x**2\n": 11,
    "½ ² ٣ 四 Ⅷ": 13,
    "\r\n\r\n": 1,
}


@pytest.mark.parametrize("text", COUNTED_BY_LLAMA)
def test_smollm2s_tokens_are_counted_as_llama_cpp_counts_them(text: str) -> None:
    assert tokens.count(text, Tokenizer.TOKENIZER_SMOLLM2) == COUNTED_BY_LLAMA[text]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)  # the first call makes the tokenizer
@given(text=st.text(max_size=80), most=st.integers(-1, 40))
@example(text="😀😀世界", most=1)
@example(text="e\u0301" * 20, most=3)
def test_a_shortened_text_is_a_beginning_that_fits(
    kind: Tokenizer.ValueType, text: str, most: int
) -> None:
    short = tokens.shorten(text, most, kind)
    assert text.startswith(short)
    assert tokens.count(short, kind) <= max(0, most)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(text=st.text(max_size=80))
def test_a_text_that_fits_stays_whole(kind: Tokenizer.ValueType, text: str) -> None:
    assert tokens.shorten(text, tokens.count(text, kind), kind) == text


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_text_is_cut_close_to_the_number(kind: Tokenizer.ValueType) -> None:
    short = tokens.shorten("The ships came home before the storm. " * 500, 1000, kind)
    assert 995 <= tokens.count(short, kind) <= 1000


def test_a_tokenizer_that_is_not_stated_counts_as_o200k() -> None:
    text = "The ships came home, naïve 世界."
    unstated = tokens.count(text, Tokenizer.TOKENIZER_UNSPECIFIED)
    assert unstated == tokens.count(text, Tokenizer.TOKENIZER_O200K)


def test_weights_of_a_package_that_is_not_there_are_told_with_the_way_out() -> None:
    absent = Weights("absent_package", "absent-package==1", "x.bin", "0")
    with pytest.raises(WeightsWrong, match="absent-package==1"):
        weights.checked(absent)


def test_weights_that_were_changed_are_refused() -> None:
    changed = Weights("pytest", "pytest", "__init__.py", "0" * 64)
    with pytest.raises(WeightsWrong, match="SHA-256"):
        weights.checked(changed)


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


def test_every_type_of_a_gguf_head_is_read() -> None:
    text = struct.pack("<Q", 2) + b"hi"
    pairs = [
        pair(b"a", 4, struct.pack("<I", 7)),
        pair(b"b", 7, b"\1"),
        pair(b"c", 8, text),
        pair(b"d", 9, struct.pack("<IQ", 8, 2) + text * 2),
        pair(b"e", 12, struct.pack("<d", 0.5)),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs)
    assert gguf.metadata(io.BytesIO(head)) == {
        "a": 7,
        "b": True,
        "c": "hi",
        "d": ["hi", "hi"],
        "e": 0.5,
    }


@pytest.mark.parametrize("head", [b"", b"GGUF", b"GGML" + bytes(20), b"GGUF\1" + bytes(30)])
def test_what_is_not_gguf_is_refused(head: bytes) -> None:
    with pytest.raises(gguf.NotGguf):
        gguf.metadata(io.BytesIO(head))
