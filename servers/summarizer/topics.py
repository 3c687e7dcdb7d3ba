"""What is talked about: key phrases by a fixed rule. Pure.

Candidates are runs of up to three words without a stop word or punctuation between them. They are
ordered by their C-value (Frantzi, Ananiadou and Mima, 2000): in how many passages a phrase stands,
more for longer ones, less what it has only as a part of longer ones. Phrases of several words have
to stand in two passages at least.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from servers.runtime.language.stop_words import language_of
from servers.runtime.language.words import folded, is_unspaced, spans, words
from servers.summarizer.material import Sentence

MOST_TOPICS = 6
MOST_WORDS = 3
MOST_CHARACTERS = 60

Phrase = tuple[str, ...]


def key_topics(told: Sequence[Sentence]) -> list[str]:
    """At most MOST_TOPICS phrases as they are first written, the most important first; the same for
    the same sentences. Names of who speaks are none."""
    found = _Phrases(told)
    scores = found.scores()
    order = sorted(scores, key=lambda phrase: (-scores[phrase], *found.rank(phrase)))
    topics = list[Phrase]()
    for phrase in order:
        if len(topics) < MOST_TOPICS and not _overlaps(phrase, topics):
            topics.append(phrase)
    return [found.written[phrase] for phrase in topics]


class _Phrases:
    def __init__(self, told: Sequence[Sentence]) -> None:
        self.passages: Mapping[Phrase, set[int]] = defaultdict(set)
        self.written: dict[Phrase, str] = {}
        self._count = Counter[Phrase]()
        self._first: dict[Phrase, int] = {}
        names = {folded(part) for each in told for part in words(each.speaker)}
        stops = language_of(folded(word) for each in told for word in words(each.text)) | names
        for each in told:
            for run in _runs(each.text, stops):
                self._take(each, run)

    def _take(self, told: Sentence, run: Sequence[tuple[str, int, int]]) -> None:
        for first in range(len(run)):
            for last in range(first, min(first + MOST_WORDS, len(run))):
                phrase = tuple(folded(word) for word, _, _ in run[first : last + 1])
                written = told.text[run[first][1] : run[last][2]]
                if not _may_be(phrase, written):
                    continue
                self.passages[phrase].add(told.passage)
                self.written.setdefault(phrase, _without_possessive(written))
                self._first.setdefault(phrase, len(self._first))
                self._count[phrase] += 1

    def scores(self) -> dict[Phrase, float]:
        """C-values of those phrases that are worth anything."""
        often = {
            phrase: len(where)
            for phrase, where in self.passages.items()
            if len(where) > 1 or len(phrase) == 1
        }
        longer: Mapping[Phrase, list[int]] = defaultdict(list)
        for phrase, times in often.items():
            for part in _parts(phrase):
                longer[part].append(times)
        scores = {
            phrase: math.log2(len(phrase) + 1) * (times - _mean(longer.get(phrase, ())))
            for phrase, times in often.items()
        }
        return {phrase: round(score, 6) for phrase, score in scores.items() if score > 0}

    def rank(self, phrase: Phrase) -> tuple[int, int, int]:
        """What decides between equals: more often, longer, earlier."""
        return -self._count[phrase], -len(self.written[phrase]), self._first[phrase]


def _runs(text: str, stops: Collection[str]) -> Iterator[list[tuple[str, int, int]]]:
    """Words that follow each other with nothing but a space between them."""
    run, end = list[tuple[str, int, int]](), 0
    for word, begin, after in spans(text):
        between = text[end:begin]
        if run and between.strip():
            yield run
            run = []
        if _is_stop(word, stops):
            if run:
                yield run
            run = []
        else:
            run.append((word, begin, after))
        end = after
    if run:
        yield run


def _is_stop(word: str, stops: Collection[str]) -> bool:
    plain = folded(word)
    if is_unspaced(word):
        return plain in stops
    short = len(plain) < 3 and not (word.isupper() and len(plain) == 2)
    return short or plain in stops or plain.partition("'")[0] in stops or plain.isdecimal()


def _may_be(phrase: Phrase, written: str) -> bool:
    """A single character of a script without spaces is part of a word at most."""
    return len(written) <= MOST_CHARACTERS and not (len(phrase) == 1 and is_unspaced(phrase[0]))


def _parts(phrase: Phrase) -> Iterator[Phrase]:
    for size in range(1, len(phrase)):
        for first in range(len(phrase) - size + 1):
            yield phrase[first : first + size]


def _overlaps(phrase: Phrase, topics: Sequence[Phrase]) -> bool:
    """Whether one of the topics says it already, in other words around it."""
    return any(set(phrase) <= set(topic) or set(topic) <= set(phrase) for topic in topics)


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def _without_possessive(written: str) -> str:
    return written.removesuffix("'s").removesuffix("\u2019s")
