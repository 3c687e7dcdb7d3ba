"""Pages, passages and citations of a research."""

from typing import Any

import pytest

from servers.capsules.built_in.web_researcher.citations import checked, marked, quote
from servers.capsules.built_in.web_researcher.pages import canonical, found_pages, reading_order
from servers.capsules.built_in.web_researcher.passages import (
    PASSAGE_CHARACTERS,
    Page,
    Passage,
    bm25,
    passages_of,
    picked,
)
from servers.capsules.built_in.web_researcher.planning import Queries, planned, unplanned, usable
from servers.capsules.strict_answers import NotOfTheForm
from servers.runtime.language.terms import terms


def result(url: str, title: str = "") -> dict[str, Any]:
    return {"url": url, "title": title, "snippet": ""}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.org/x#part", "https://a.org/x"),
        ("https://a.org", "https://a.org/"),
        ("https://a.org/x?utm_source=n&id=3&fbclid=1", "https://a.org/x?id=3"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("https://", ""),
        ("http://[bad", ""),
        ("", ""),
    ],
)
def test_addresses_are_compared_without_what_does_not_matter(url: str, expected: str) -> None:
    assert canonical(url) == expected


def test_a_page_that_two_searches_name_comes_first() -> None:
    found = found_pages(
        [
            [result("https://a.org/1"), result("https://b.org/1#x")],
            [result("https://b.org/1"), result("https://c.org/1")],
        ]
    )
    assert [each.url for each in found] == ["https://b.org/1", "https://a.org/1", "https://c.org/1"]


def test_results_that_are_no_pages_are_left_out() -> None:
    assert found_pages([[{}, {"url": None}, result("ftp://a.org/x")], []]) == []


def test_no_host_is_read_more_than_twice_before_the_others() -> None:
    pages = found_pages(
        [[result(f"https://a.org/{n}") for n in range(4)] + [result("https://b.org")]]
    )
    order = [each.url for each in reading_order(pages)]
    assert order[:3] == ["https://a.org/0", "https://a.org/1", "https://b.org/"]
    assert len(order) == 5


def test_passages_are_whole_sentences_of_a_bounded_length() -> None:
    text = " ".join(f"Sentence number {n} is about something." for n in range(60))
    made = passages_of(Page(1, "", "", "", text))
    assert all(len(each.text) <= PASSAGE_CHARACTERS for each in made)
    assert all(each.text.endswith(".") for each in made)
    assert " ".join(each.text for each in made) == text


def test_bm25_of_a_worked_example() -> None:
    """Two texts of two terms: idf ln(1 + 1.5 / 1.5), a share of 2.2 / 2.2."""
    scores = bm25([["tea", "cup"], ["bread", "tin"]], ["tea"])
    assert scores == [pytest.approx(0.693147), 0.0]
    assert bm25([], ["tea"]) == []


def test_passages_that_matter_are_picked_within_bounds() -> None:
    passages = [
        Passage(1, 0, "Tea grows on hills."),
        Passage(1, 1, "Tea is picked by hand."),
        Passage(1, 2, "Tea is dried."),
        Passage(2, 0, "Nothing about it."),
        Passage(3, 0, "Green tea."),
    ]
    found = picked(passages, ["tea"], most=3, of_a_page=2, room=1000)
    assert len(found) == 3
    assert [each.page for each in found] == [1, 1, 3]
    assert picked(passages, ["tea"], 9, 9, room=12) == [Passage(3, 0, "Green tea.")]
    assert picked(passages, ["coffee"], 9, 9, 1000) == []


SOURCES = {1: "The tower is 330 metres high. It was built in 1889.", 2: "The tower has 1665 steps."}


@pytest.mark.parametrize(
    ("answer", "unknown", "uncited", "weak"),
    [
        ("The tower is 330 metres high [1]. It has 1665 steps [2].", [], 0, 0),
        ("The tower is 330 metres high. [1] It has 1665 steps. [2]", [], 0, 0),
        ("The tower is 330 metres high and has 1665 steps [1, 2].", [], 0, 0),
        ("The tower is 330 metres high [1][7].", [7], 0, 0),
        ("The tower is 330 metres high [9].", [9], 1, 0),
        ("The tower is 330 metres high. It has 1665 steps [2].", [], 1, 0),
        ("Purple elephants dance on Jupiter [1].", [], 0, 1),
        ("Which tower is meant?", [], 0, 0),
        ("", [], 0, 0),
    ],
)
def test_citations_are_checked(answer: str, unknown: list[int], uncited: int, weak: int) -> None:
    check = checked(answer, SOURCES)
    assert list(check.unknown) == unknown
    assert (len(check.uncited), len(check.weak)) == (uncited, weak)


def test_a_citation_behind_the_full_stop_belongs_to_the_sentence_before() -> None:
    told = checked("It is high. [1] It has steps. [2][1]", SOURCES).sentences
    assert [(each.text, each.cited) for each in told] == [
        ("It is high.", (1,)),
        ("It has steps.", (2, 1)),
    ]


def test_disagreements_are_told_apart() -> None:
    check = checked("Disagreement: one page says 330 metres [1], another one 324 [2].", SOURCES)
    assert len(check.disagreements) == 1


def test_a_citation_of_nothing_shows() -> None:
    assert marked("High [1][7], old [2, 9].", [7, 9]) == "High [1][7?], old [2][9?]."


def test_a_quote_is_the_sentence_of_the_page_that_is_nearest() -> None:
    assert quote("Built in 1889", [SOURCES[2], SOURCES[1]]) == "It was built in 1889."
    assert quote("Purple elephants", [SOURCES[1]]) == ""


def test_plans_are_searched_once_each_and_no_more_than_agreed() -> None:
    plan = Queries(["tower height", "tower  height", "?", "tower steps", "tower age"])
    assert planned(plan, 2) == ["tower height", "tower steps"]
    with pytest.raises(NotOfTheForm, match="no query"):
        usable(Queries(["?", "the"]))


def test_without_a_plan_the_question_and_its_terms_are_searched_for() -> None:
    assert unplanned("How high is the Eiffel tower?", 3) == [
        "How high is the Eiffel tower?",
        "high eiffel tower",
    ]
    assert unplanned("tower", 3) == ["tower"]
    assert unplanned("Who are they?", 3) == ["Who are they?"]
    assert terms("Who are they?") == []
