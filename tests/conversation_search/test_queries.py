"""What a query asks for: names, phrases, exclusions, words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.conversation_search.naming import named, without_names
from servers.conversation_search.snippet import START, STOP, marks
from servers.conversation_search.store_postgres import any_of
from servers.conversation_search.wish import Wish, chosen, quoted, wished

PEOPLE = ["Caroline", "Will Smith", "May", "Jo"]


@pytest.mark.parametrize(
    ("query", "people"),
    [
        ("What did Caroline paint?", {"Caroline"}),
        ("what did caroline's sister say", {"Caroline"}),
        ("carolines", set()),
        ("When will Smith come?", {"Will Smith"}),
        ("When will it rain in may?", set()),
        ("What did May say to Will?", {"May", "Will Smith"}),
        ("jo", {"Jo"}),
    ],
)
def test_names_are_found_as_names_are_written(query: str, people: set[str]) -> None:
    """A name that is a common word or a month only with its capital."""
    assert named(query, PEOPLE) == people


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("What did Caroline's sister say?", "What did sister say?"),
        ("Caroline", "Caroline"),
        ("Caroline?", "Caroline?"),
        ("when will Will go", "when will go"),
    ],
)
def test_names_are_no_words_to_look_for(query: str, rest: str) -> None:
    """Unless there is nothing else."""
    assert without_names(query, named(query, PEOPLE)) == rest


@pytest.mark.parametrize(
    ("query", "wish"),
    [
        ("red house", Wish("red house", "")),
        ('"red house" blue', Wish("red house blue", '"red house"')),
        ("house -lake", Wish("house", '-"lake"')),
        ('house -"by the lake"', Wish("house", '-"by the lake"')),
        ("well-known -", Wish("well-known -", "")),
        ('a "b', Wish("a b", "")),
        ('""', Wish("", "")),
    ],
)
def test_phrases_and_exclusions_are_what_has_to_hold(query: str, wish: Wish) -> None:
    assert wished(query) == wish


@given(st.text())
def test_any_text_is_a_query(text: str) -> None:
    wish = wished(text)
    assert wish.empty or wish.text


def test_of_a_long_query_the_longest_words_are_kept_in_their_order() -> None:
    assert chosen(["a", "longest", "bb", "ccc"], 2) == ["longest", "ccc"]
    assert chosen(["a", "b"], 2) == ["a", "b"]


def test_lexemes_are_quoted_as_postgres_wants_it() -> None:
    assert any_of(["it's", "a\\b"]) == "'it''s' | 'a\\\\b'"
    assert quoted("x") == "'x'"
    assert any_of([]) == ""


def test_marks_become_places() -> None:
    highlights = marks(f"🐻 {START}bears{STOP} and {START}bear{STOP}")
    assert [(h.start, h.end) for h in highlights] == [(2, 7), (12, 16)]


@pytest.mark.parametrize("headline", ["", "plain", STOP, START, f"{STOP}a{START}b"])
def test_marks_without_a_partner_mark_nothing(headline: str) -> None:
    assert not marks(headline)
