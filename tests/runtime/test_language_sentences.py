"""Texts fall into sentences, whatever their script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.runtime.language.sentences import LONGEST, is_question, one_line, sentences
from servers.runtime.language.words import folded, words


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It costs 3.50 at kari.example today.", ["It costs 3.50 at kari.example today."]),
        (
            "Dr. Smith met J. Doe, e.g. at noon. Then",
            ["Dr. Smith met J. Doe, e.g. at noon.", "Then"],
        ),
        ('He said "Stop!" She did.', ['He said "Stop!"', "She did."]),
        ("Wait... what?", ["Wait... what?"]),
        ("我喜欢苹果。你呢\uff1f很好\uff01", ["我喜欢苹果。", "你呢\uff1f", "很好\uff01"]),
        ("मैं घर गया। वह आया।", ["मैं घर गया।", "वह आया।"]),
        ("هل أنت بخير؟ نعم.", ["هل أنت بخير؟", "نعم."]),
        ("- one thing\n2. another\n# A title", ["one thing", "another", "A title"]),
        ("Look:\n```python\nprint('x. y')\n```\nDone.", ["Look:", "Done."]),
        ("```never closed. At all.", []),
        (" \n\t", []),
    ],
)
def test_sentences_end_where_readers_see_their_end(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


def test_a_long_sentence_is_cut_at_a_space() -> None:
    found = sentences("word " * 200)
    assert all(part == " ".join(["word"] * len(part.split())) for part in found)
    assert sum(len(part.split()) for part in found) == 200


def test_a_text_without_spaces_is_cut_between_characters() -> None:
    """Not between a letter and its marks, nor inside an emoji of several."""
    accented = "e\u0301" * 400
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 100
    for text in (accented, family):
        found = sentences(text)
        assert "".join(found) == text
        assert not any(part.startswith(("\u0301", "\u200d")) for part in found)
        assert not any(part.endswith("\u200d") for part in found)


@given(st.text(max_size=2000))
def test_any_text_gives_short_single_lines(text: str) -> None:
    for part in sentences(text):
        assert 0 < len(part) <= LONGEST
        assert part == one_line(part)


def test_a_hundred_thousand_characters_without_a_stop_are_no_trouble() -> None:
    for text in ("x" * 100_000, "." * 100_000, "a. " * 33_000, "(" * 100_000, "``` " * 25_000):
        assert all(len(part) <= LONGEST for part in sentences(text))


@pytest.mark.parametrize(
    "text", ["Really?", 'He asked "why?"', "你呢\uff1f", "هل أنت بخير؟", "*so?*"]
)
def test_questions_are_known_by_their_end(text: str) -> None:
    assert is_question(text)
    assert not is_question(text + " Yes.")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't stop, Caroline's well-known!", ["Don't", "stop", "Caroline's", "well-known"]),
        ("我喜欢 tea", ["我", "喜", "欢", "tea"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("สวัสดี", ["สวัสดี"]),
        ("a_b 42", ["a", "b", "42"]),
        ("?!", []),
    ],
)
def test_words_are_words_in_any_script(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_words_are_compared_without_case_and_possessive() -> None:
    assert folded("Caroline\u2019s") == folded("CAROLINE") == "caroline"
