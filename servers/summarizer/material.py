"""What a summary is made of: the sentences of passages, no more than can be ranked. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from servers.runtime.language.sentences import sentences
from servers.runtime.language.words import words
from servers.runtime.sharing import water_level
from servers.summarizer.passages import Passage

MOST_SENTENCES = 200
"""At 12 ms of the embedder each."""
FEWEST_WORDS = 3
"""A sentence of fewer says nothing by itself, such as `Thanks!`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, who said it, and in which passage, counted from 0."""

    speaker: str
    text: str
    passage: int


def material(passages: Sequence[Passage]) -> list[Sentence]:
    """The sentences that may stand for the passages, in order, each text of a speaker once. Of a
    passage with more than its share some are taken, evenly."""
    told = [_told(place, passage) for place, passage in enumerate(passages)]
    telling = [[each for each in of if len(words(each.text)) >= FEWEST_WORDS] for of in told]
    parts = telling if any(telling) else told
    most = water_level([len(part) for part in parts], MOST_SENTENCES)
    kept = chain.from_iterable(evenly(part, max(most, 1)) for part in parts)
    return evenly(_each_once(kept), MOST_SENTENCES)


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, the first among them, at even distances."""
    if len(items) <= most:
        return list(items)
    return [items[place * len(items) // most] for place in range(most)]


def _told(place: int, passage: Passage) -> list[Sentence]:
    return [Sentence(passage.speaker, text, place) for text in sentences(passage.text)]


def _each_once(found: chain[Sentence]) -> list[Sentence]:
    once = {(each.speaker, each.text.casefold()): each for each in reversed(list(found))}
    return list(reversed(once.values()))
