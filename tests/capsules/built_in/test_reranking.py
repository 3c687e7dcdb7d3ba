"""The order of what memory and search found."""

from typing import Any

import pytest

from servers.capsules.built_in.semantic_retriever.candidates import candidates, moment
from servers.capsules.built_in.semantic_retriever.reranking import Ranked, reranked, why
from servers.runtime.language.terms import terms

NEW, OLD = "2026-11-20T10:00:00Z", "2026-10-21T10:00:00Z"


def hit(id: str, content: str, timestamp: str = "", **more: Any) -> dict[str, Any]:
    return {"id": id, "content": content, "timestamp": timestamp, **more}


def ranked(
    memory: list[dict[str, Any]],
    messages: list[dict[str, Any]],
    question: str,
    most: int = 10,
    diversity: float = 0.0,
) -> list[Ranked]:
    lists = {"memory": memory, "messages": messages}
    return reranked(candidates(lists), terms(question), lists, most, diversity)


def test_what_both_have_stands_once_and_first() -> None:
    both = hit("m2", "Tea is served at four")
    found = ranked([hit("m1", "Coffee is served at three"), both], [both], "")
    assert [each.candidate.id for each in found] == ["m2", "m1"]
    assert dict(found[0].candidate.ranks) == {"memory": 2, "messages": 1}
    assert found[0].candidate.merged == 1


def test_nearly_the_same_text_is_merged() -> None:
    one = hit("a", "The train to Vienna leaves platform nine at noon sharp")
    other = hit("b", "the train to VIENNA leaves platform nine, at noon sharp!")
    assert [each.candidate.id for each in ranked([one], [other], "train")] == ["a"]


def test_relevance_is_the_documented_formula() -> None:
    """First of two lists of one, one of two terms, one half-life old."""
    found = ranked([hit("n", "unrelated", NEW)], [hit("o", "blue paint", OLD)], "blue car")
    old = next(each for each in found if each.candidate.id == "o")
    assert old.fusion == 0.5
    assert old.coverage == 0.5
    assert old.recency == 0.5
    assert old.relevance == pytest.approx(0.5 * 0.5 + 0.35 * 0.5 + 0.15 * 0.5)


def test_terms_of_the_question_decide_between_equals_of_the_engines() -> None:
    found = ranked([hit("a", "green apples")], [hit("b", "red cherries")], "red cherries")
    assert [each.candidate.id for each in found] == ["b", "a"]


def test_diversity_prefers_what_says_something_else() -> None:
    hits = [
        hit("a", "red apples from Styria in autumn"),
        hit("b", "red apples from Styria in winter boxes"),
        hit("c", "plum jam"),
    ]
    assert [r.candidate.id for r in ranked(hits, [], "red apples", 2)] == ["a", "b"]
    assert [r.candidate.id for r in ranked(hits, [], "red apples", 2, 0.8)] == ["a", "c"]


def test_the_same_finds_have_the_same_order() -> None:
    hits = [hit(str(n), f"text number {n}") for n in range(20)]
    first = ranked(hits, hits[::-1], "text")
    assert first == ranked(hits, hits[::-1], "text")


def test_empty_finds_and_no_finds_are_nothing() -> None:
    assert ranked([hit("a", " ")], [], "anything") == []


def test_why_names_places_terms_and_age() -> None:
    found = ranked([hit("n", "blue sky", NEW), hit("o", "blue car", OLD)], [], "blue car")
    texts = {each.candidate.id: why(each, terms("blue car")) for each in found}
    assert (
        texts["o"] == "place 2 in memory; has 2 of 2 terms (blue, car); 30 days before the newest"
    )


@pytest.mark.parametrize("timestamp", ["", "yesterday", "2026-11-20T10:00:00"])
def test_a_time_that_is_none_is_unknown(timestamp: str) -> None:
    assert moment(timestamp) is None
