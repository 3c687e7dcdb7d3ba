"""Where messages go, and what conversations are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kari.chat_hub.v1.chat_hub_pb2 import Destination
from servers.chat_hub.routing import (
    TITLE_CHARACTERS,
    conversation_request_id,
    route,
    title_of,
)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("hello", "ORCHESTRATOR"),
        (" /not a command", "ORCHESTRATOR"),
        ("a\n/help", "ORCHESTRATOR"),
        ("/help", "INSTRUCTION_PROCESSOR"),
        ("\n\r\n/set mode code\nhello", "INSTRUCTION_PROCESSOR"),
        ("/", "INSTRUCTION_PROCESSOR"),
        (" ", "DISCARD"),
        ("\n\t\r\n\u00a0\u2003", "DISCARD"),
    ],
)
def test_a_text_is_routed_by_how_it_starts(content: str, name: str) -> None:
    assert route(content) == Destination.Value(f"DESTINATION_{name}")


def test_a_title_is_the_first_line_that_says_something() -> None:
    assert title_of("\n  How do   trees grow? \nAnd why?") == "How do trees grow?"
    assert title_of("/set mode code\n/pin\nSort this list") == "Sort this list"
    assert title_of("/help") == ""


def test_a_long_title_is_cut_at_a_word() -> None:
    title = title_of("word " * 40)
    assert title.endswith("word…")
    assert len(title) <= TITLE_CHARACTERS + 1
    assert title_of("x" * 200) == "x" * (TITLE_CHARACTERS - 1) + "…"


@given(st.text(max_size=300))
def test_a_title_is_always_short_and_on_one_line(content: str) -> None:
    title = title_of(content)
    assert len(title) <= TITLE_CHARACTERS + 1
    assert len(title.splitlines()) <= 1
    assert title == title.strip()


def test_the_request_that_creates_a_conversation_is_the_same_when_a_message_is_repeated() -> None:
    assert conversation_request_id("r" * 100) == conversation_request_id("r" * 100)
    assert conversation_request_id("a") != conversation_request_id("b")
    assert len(conversation_request_id("r" * 100)) <= 100
