"""What the write gate lets through, and what it finds in the way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.production_memory.vault.gate import (
    NEAR,
    Claim,
    Decision,
    Known,
    Refusal,
    decide,
    is_trivial,
    repeats,
)
from servers.production_memory.vault.statement import is_negated, normalized

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOME = Claim("The user lives in Oslo.", NOW, slot="home", value="oslo", recognized=True)
PLAIN = Claim("Deploys go out on Tuesdays", NOW)


def known(claim: Claim, similarity: float = 0.0, name: str = "mem_1") -> Known:
    return Known(name, claim, similarity)


@pytest.mark.parametrize(
    "content",
    [
        "",
        " \n",
        "hi",
        "Hello there!",
        "Thanks a lot",
        "ok thank you, good night",
        "What is my name?",
        "do you know my name",
        "is it raining? who knows?",
        "...",
        "%%% !!!",
        "aaaaaaa",
        "tea",
        "the and of",
        "deadbeef" * 10,
        "😀😀",
        "什么?",
    ],
)
def test_what_says_too_little_is_trivial(content: str) -> None:
    assert is_trivial(content)


@pytest.mark.parametrize(
    "content",
    [
        "I take sugar in my tea",
        "Call me Bo",
        "Locker 33",
        "What I like most is tea.",
        "我住在巴黎",
        "Я живу в Париже",
        "أعيش في باريس",
        "ฉันอยู่ปารีส",
        "Is it late? The train leaves at nine.",
    ],
)
def test_what_states_something_is_not(content: str) -> None:
    assert not is_trivial(content)


def test_a_fact_that_a_rule_knows_is_never_trivial() -> None:
    claim = Claim("The user is vegetarian.", NOW, recognized=True)
    assert decide(claim, []) == Decision()
    assert decide(replace(claim, recognized=False), []).refusal == Refusal.TRIVIAL


@pytest.mark.parametrize("content", ["deploys go out on tuesdays", "Deploys: go out, on TUESDAYS!"])
def test_the_same_words_are_a_duplicate(content: str) -> None:
    decision = decide(replace(PLAIN, content=content), [known(PLAIN)])
    assert decision == Decision(Refusal.DUPLICATE, duplicate_of="mem_1")


@pytest.mark.parametrize(
    ("content", "similarity", "same"),
    [
        ("Deployments go out on Tuesdays", NEAR, True),
        ("Deployments go out on Tuesdays", NEAR - 0.01, False),
        ("Deploys go out on Thursdays", 0.99, False),
        ("Deploys do not go out on Tuesdays", 0.99, False),
        ("On Tuesdays go out deploys", 0.99, False),
        ("Deploys go out on Tuesdays at 10", 0.99, False),
    ],
)
def test_nearly_the_same_meaning_is_one_if_the_details_agree(
    content: str, similarity: float, same: bool
) -> None:
    decision = decide(replace(PLAIN, content=content), [known(PLAIN, similarity)])
    assert (decision.refusal == Refusal.DUPLICATE) is same


def test_a_statement_of_another_kind_is_no_duplicate_by_meaning() -> None:
    claim = replace(PLAIN, content="Deployments go out on Tuesdays", kind="procedural")
    assert decide(claim, [known(PLAIN, 0.99)]).refusal is None


def test_another_value_of_the_same_slot_replaces() -> None:
    moved = replace(HOME, content="The user lives in Rome.", value="rome")
    assert decide(moved, [known(HOME)]) == Decision(replaces=("mem_1",), slot="home")


def test_the_same_value_in_other_words_is_a_duplicate() -> None:
    again = replace(HOME, content="I moved to Oslo")
    assert decide(again, [known(HOME)]).duplicate_of == "mem_1"


def test_what_was_stated_before_replaces_nothing() -> None:
    older = replace(
        HOME, content="I live in Rome", value="rome", stated_at=NOW - timedelta(hours=1)
    )
    assert decide(older, [known(HOME)]) == Decision(outdated_by="mem_1", slot="home")


def test_a_denial_replaces_what_it_denies_and_nothing_else() -> None:
    denial = replace(HOME, content="The user no longer lives in Oslo.", negated=True)
    other = replace(denial, content="The user no longer lives in Rome.", value="rome")
    assert decide(denial, [known(HOME)]) == Decision(replaces=("mem_1",), slot="home")
    assert decide(other, [known(HOME)]) == Decision(slot="")
    assert decide(other, []) == Decision(slot="home")
    assert decide(HOME, [known(denial)]).replaces == ("mem_1",)


@pytest.mark.parametrize(
    ("content", "said", "expected"),
    [
        ("Ceres is the largest dwarf planet", ["Ceres is the largest dwarf planet nearby."], True),
        ("The user speaks Norwegian.", ["You speak Norwegian."], True),
        ("The user speaks Norwegian.", ["Do you speak Norwegian?"], False),
        ("The user speaks Norwegian.", ["You speak Danish."], False),
        ("Ceres is the largest and I saw it in Palermo", ["Ceres is the largest."], False),
        ("Ceres is the largest dwarf planet", [], False),
    ],
)
def test_what_the_assistant_said_is_not_the_user_s(
    content: str, said: list[str], expected: bool
) -> None:
    assert repeats(content, said) is expected


def test_what_is_known_is_confirmed_even_if_the_assistant_said_it() -> None:
    assert decide(PLAIN, [known(PLAIN)], [PLAIN.content]).refusal == Refusal.DUPLICATE
    assert decide(PLAIN, [], [PLAIN.content]).refusal == Refusal.REPEATS_ASSISTANT


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("I like tea", False),
        ("I don't like tea", True),
        ("I don\u2019t like tea", True),
        ("It is not that I dislike tea", False),
        ("No sugar", True),
        ("notable novels", False),
    ],
)
def test_negations_are_counted(text: str, negated: bool) -> None:
    assert is_negated(text) is negated


@given(st.text(max_size=200), st.text(max_size=200), st.floats(-1, 1))
def test_every_text_gets_a_decision(one: str, other: str, similarity: float) -> None:
    """One that refuses, or one that stores; the same for the same."""
    claim = Claim(one, NOW)
    decision = decide(claim, [known(Claim(other, NOW), similarity)], [other])
    assert decision == decide(claim, [known(Claim(other, NOW), similarity)], [other])
    assert (decision.duplicate_of != "") == (decision.refusal == Refusal.DUPLICATE)
    assert decision.replaces == ()


@given(st.text(max_size=200))
def test_a_normalized_text_is_its_own(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)
