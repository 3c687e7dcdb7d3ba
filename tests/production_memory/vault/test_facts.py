"""Facts that rules find in messages, and what they leave alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.production_memory.vault.facts import MOST_FACTS, facts_of, may_teach


@pytest.mark.parametrize(
    ("said", "content", "slot", "value"),
    [
        ("My name is Ada.", "The user's name is Ada.", "name", "ada"),
        ("Hi, my name's Ada Lovelace!", "The user's name is Ada Lovelace.", "name", "ada lovelace"),
        ("Please call me Bo", "The user wants to be called Bo.", "nickname", "bo"),
        ("I am 34 years old", "The user is 34 years old.", "age", "34"),
        ("I live in Oslo now", "The user lives in Oslo.", "home", "oslo"),
        ("I've just moved to New York", "The user lives in New York.", "home", "new york"),
        ("I moved to Rome two years ago", "The user lives in Rome.", "home", "rome"),
        ("I'm based in the Netherlands", "The user lives in the Netherlands.", "home", None),
        ("I work at Acme Corp", "The user works for Acme Corp.", "employer", "acme corp"),
        ("I work as a nurse", "The user works as a nurse.", "occupation", "nurse"),
        ("I'm an electrician", "The user is an electrician.", "occupation", "electrician"),
        ("I'm from Norway", "The user is from Norway.", "hometown", "norway"),
        ("I was born in Turku", "The user was born in Turku.", "birthplace", "turku"),
        (
            "I really like green tea",
            "The user likes green tea.",
            "opinion of green tea",
            "positive",
        ),
        ("I hate mondays", "The user does not like mondays.", "opinion of mondays", "negative"),
        ("I don\u2019t like tea", "The user does not like tea.", "opinion of tea", "negative"),
        ("i no longer enjoy tea", "The user does not like tea.", "opinion of tea", "negative"),
        ("I prefer tea to coffee", "The user prefers tea to coffee.", "", ""),
        ("My favorite colour is blue", "The user's favourite colour is blue.", None, "blue"),
        ("my wife is called Eva", "The name of the user's wife is Eva.", "name of wife", "eva"),
        ("My sister's name is Eva", "The name of the user's sister is Eva.", "", ""),
        ("My dog is called Rex", "The name of the user's dog is Rex.", "", ""),
        ("My birthday is on March 3rd", "The user's birthday is March 3rd.", "birthday", None),
        ("I'm allergic to peanuts", "The user is allergic to peanuts.", "allergy to peanut", "yes"),
        ("I have a nut allergy", "The user has a nut allergy.", "allergy to nut", "yes"),
        ("I'm not allergic to nuts", "The user is not allergic to nuts.", "allergy to nut", "no"),
        ("I'm vegan", "The user is vegan.", "being vegan", "yes"),
        ("I have two dogs", "The user has two dogs.", "", ""),
        ("I've got a cat named Tom", "The user has a cat named Tom.", "", ""),
        ("I'm learning Japanese", "The user is learning Japanese.", "", ""),
        ("I speak German", "The user speaks German.", "", ""),
        ("I like my sister's cake", "The user likes their sister's cake.", None, None),
        ("Remember that I like tea", "The user likes tea.", "opinion of tea", "positive"),
        ("don't forget that rent is due", "The user said: rent is due.", "", ""),
    ],
)
def test_a_fact_is_found(said: str, content: str, slot: str | None, value: str | None) -> None:
    (fact,) = facts_of(said)
    assert fact.content == content
    assert slot is None or fact.slot == slot
    assert value is None or fact.value == value
    assert not fact.negated
    assert 1 <= fact.importance <= 10
    assert may_teach(said)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("I no longer live in Oslo", "oslo"),
        ("I don't live in Oslo any more", "oslo"),
        ("I do not work at Acme anymore", "acme"),
    ],
)
def test_a_denial_is_one(said: str, value: str) -> None:
    (fact,) = facts_of(said)
    assert (fact.negated, fact.value) == (True, value)


@pytest.mark.parametrize(
    "said", ["I'm planning to visit Rome in May", "I'm going to Berlin next week"]
)
def test_plans_are_episodes(said: str) -> None:
    (fact,) = facts_of(said)
    assert fact.kind == "episodic"


def test_what_is_to_be_remembered_is_of_the_highest_importance() -> None:
    (fact,) = facts_of("Please remember that I speak German.")
    assert (fact.asked, fact.importance) == (True, 10)


def test_several_facts_of_a_message_are_found_in_order() -> None:
    said = "Hi! My name is Ada, I live in Oslo and I work at Acme. I have two dogs; I hate rain."
    slots = [fact.slot for fact in facts_of(said)]
    assert slots == ["name", "home", "employer", "", "opinion of rain"]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "What is the capital of Norway?",
        "Do you remember that I live in Oslo?",
        "I live in Oslo, right?",
        "If I live in Oslo, I pay taxes there.",
        "When I live in Oslo I ski.",
        "Imagine I live in Oslo.",
        'He said "I live in Oslo".',
        "She told me: \u201cI live in Oslo\u201d",
        "> I live in Oslo",
        "```\nI live in Oslo\n```",
        "Translate this:\nI live in Oslo",
        "Write a poem: I live in Oslo",
        "My sister says I live in Oslo",
        "I live in a small house",
        "I live in the countryside",
        "I live in fear",
        "Call me later",
        "Call me crazy",
        "My name is not important",
        "I like it",
        "I love you",
        "I like how you put that",
        "I'd like tea",
        "I work at night",
        "I have a question",
        "I'm a bit tired",
        "I'm going to be honest",
        "I'm not a teacher",
        "My birthday is soon",
        "I think so",
        "Remember to buy milk",
        "Ich wohne in Oslo",
        "我住在奥斯陆",
        "asdf;lkj 1234 %$#",
    ],
)
def test_what_is_no_statement_of_the_user_is_left_alone(said: str) -> None:
    assert facts_of(said) == []
    assert not may_teach(said)


def test_no_more_facts_than_a_few_are_taken_from_a_message() -> None:
    said = ". ".join(f"I like thing number {n}" for n in range(50))
    assert len(facts_of(said)) == MOST_FACTS


@given(st.text(max_size=400))
def test_every_text_is_read(text: str) -> None:
    found = facts_of(text)
    assert may_teach(text) or not found
    assert found == facts_of(text)


@pytest.mark.parametrize(
    "said",
    [
        "I like bob@example.com",
        "My favourite number is 415-555-2671",
        "I like 4111 1111 1111 1111",
        "I work for bob@example.com",
        "I hate 123-45-6789",
    ],
)
def test_personal_data_is_the_value_of_no_fact(said: str) -> None:
    """Neither the value nor the slot would be redacted any more: they have no marks in them."""
    assert facts_of(said) == []


def test_personal_data_in_what_is_to_be_remembered_is_replaced() -> None:
    (fact,) = facts_of("Remember that my mail is bob@example.com")
    assert fact.content == "The user said: my mail is [email]."


WORDS = (
    "i my name is live in like and love the a dog called work at ' \" , . ; : \n > ``` remember"
    " that no longer don't i'm from allergic to going call me years old 7 é 东京 favourite birthday"
)
words = st.sampled_from(WORDS.split(" "))


@given(st.lists(words, max_size=60))
def test_texts_made_of_the_words_of_rules_are_read(parts: list[str]) -> None:
    for fact in facts_of(" ".join(parts)):
        assert fact.content.endswith(".")
        assert "{" not in fact.content
        assert bool(fact.slot) == bool(fact.value)
