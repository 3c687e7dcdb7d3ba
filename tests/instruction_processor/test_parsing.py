"""Texts into command lines, command lines into words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.instruction_processor.parsing import Line, pairs_of, parts_of, words_of
from servers.runtime.errors import InvalidRequest


def test_a_text_of_one_command_has_no_message() -> None:
    parts = parts_of("/set mode analysis")
    assert parts.lines == (Line("set", "mode analysis"),)
    assert parts.message == ""


def test_what_follows_the_last_command_is_the_message() -> None:
    parts = parts_of("/set mode code\n\n/title A plan\n\n  indented\n/not a command\n")
    assert [line.name for line in parts.lines] == ["set", "title"]
    assert parts.message == "  indented\n/not a command"


def test_a_text_that_starts_otherwise_has_no_commands() -> None:
    parts = parts_of(" /usr/bin is a folder")
    assert parts.lines == ()
    assert parts.message == " /usr/bin is a folder"


def test_lines_end_as_on_any_machine() -> None:
    parts = parts_of("/pin last\r\n/status\r\nhello\r\n")
    assert parts.lines == (Line("pin", "last"), Line("status", ""))
    assert parts.message == "hello"


def test_names_are_not_case_sensitive_and_arguments_are() -> None:
    assert parts_of("/Title My Plan").lines == (Line("title", "My Plan"),)


@pytest.mark.parametrize("empty", ["/set mode code\n", "/set mode code\n \n\t\n", "/set mode code"])
def test_white_space_after_commands_is_no_message(empty: str) -> None:
    assert parts_of(empty).message == ""


def test_quotes_keep_words_together() -> None:
    assert words_of("a 'b c' \"d e\" f\\ g") == ["a", "b c", "d e", "f g"]


@pytest.mark.parametrize("text", ["it's", 'a "b', "a\\"])
def test_an_open_quote_is_said(text: str) -> None:
    with pytest.raises(InvalidRequest, match="quote"):
        words_of(text)


def test_pairs_are_split_at_the_first_equals_sign() -> None:
    assert pairs_of(["tone=formal", "sum=1+1=2"]) == {"tone": "formal", "sum": "1+1=2"}


@pytest.mark.parametrize("words", [["tone"], ["=x"], ["tone="], ["a=1", "a=2"]])
def test_pairs_that_are_none_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        pairs_of(words)


@given(st.text(max_size=200))
def test_any_text_is_split_without_loss_of_its_message(text: str) -> None:
    """A text that starts with no slash stays whole, but for line ends around it."""
    parts = parts_of(text)
    if not text.lstrip().startswith("/") and text.strip():
        assert parts.lines == ()
        assert parts.message.strip() == text.strip()


def test_a_text_of_very_many_commands_is_refused() -> None:
    """One message is one message, also for the limits."""
    assert len(parts_of("/help\n" * 20).lines) == 20
    with pytest.raises(InvalidRequest, match="at the most"):
        parts_of("/help\n" * 21)
