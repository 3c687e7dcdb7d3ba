"""Passages of pages, and which of them matter for a question. Pure.

They are ranked by BM25 (Robertson and Zaragoza, 2009; k1 = 1.2 and b = 0.75, theirs) with the
passages of all pages as the collection: a term that stands in every passage tells nothing.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from servers.runtime.language.sentences import sentences
from servers.runtime.language.terms import terms

K1, B = 1.2, 0.75
PASSAGE_CHARACTERS = 600
"""A passage is as many sentences as fit."""
PAGE_CHARACTERS = 40_000
"""Of a page, that are looked at."""


@dataclass(frozen=True)
class Page:
    """A page as it was fetched. `number` is what citations call it."""

    number: int
    url: str
    title: str
    fetched_at: str
    text: str


@dataclass(frozen=True)
class Passage:
    """A part of a page."""

    page: int
    place: int
    text: str


def passages_of(page: Page) -> list[Passage]:
    """The page in passages of whole sentences."""
    made, gathered = list[str](), ""
    for sentence in sentences(page.text[:PAGE_CHARACTERS]):
        if gathered and len(gathered) + len(sentence) + 1 > PASSAGE_CHARACTERS:
            made.append(gathered)
            gathered = ""
        gathered = f"{gathered} {sentence}".strip()
    if gathered:
        made.append(gathered)
    return [Passage(page.number, place, text) for place, text in enumerate(made)]


def picked(
    passages: Sequence[Passage], question: Collection[str], most: int, of_a_page: int, room: int
) -> list[Passage]:
    """The passages that matter for these terms, by page and place: at most so many in all and of a
    page, and no more characters than there is room for. One without any of the terms never is."""
    scores = bm25([terms(each.text) for each in passages], question)
    order = sorted(range(len(passages)), key=lambda place: (-scores[place], place))
    taken, pages = list[Passage](), Counter[int]()
    for place in order:
        passage = passages[place]
        if scores[place] <= 0 or len(taken) == most:
            break
        if pages[passage.page] == of_a_page or len(passage.text) > room:
            continue
        taken.append(passage)
        pages[passage.page] += 1
        room -= len(passage.text)
    return sorted(taken, key=lambda each: (each.page, each.place))


def bm25(texts: Sequence[Sequence[str]], wanted: Collection[str]) -> list[float]:
    """How well each text, given by its terms, fits the wanted ones; 0 if it has none of them."""
    counts = [Counter(text) for text in texts]
    mean = sum(len(text) for text in texts) / len(texts) if texts else 0.0
    having = {term: sum(term in each for each in counts) for term in set(wanted)}
    return [
        round(
            sum(
                _weight(having[term], len(texts)) * _share(each[term], len(text), mean)
                for term in sorted(having)
                if each[term]
            ),
            6,
        )
        for each, text in zip(counts, texts, strict=True)
    ]


def _weight(having: int, texts: int) -> float:
    return math.log(1 + (texts - having + 0.5) / (having + 0.5))


def _share(count: int, length: int, mean: float) -> float:
    return count * (K1 + 1) / (count + K1 * (1 - B + B * length / mean))
