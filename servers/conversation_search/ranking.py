"""The order in which messages fit a query: words and meaning in one score. Pure.

A message's document is its own words and, at half their weight, those of its neighbours: a question
has the words by which its answer is looked for. Its words are scored by BM25 (Robertson and
Zaragoza, The Probabilistic Relevance Framework, 2009), as a share of the best that the query's
words could give, and added to the cosine of its vector; what the named person said counts more.
Scores are added and not ranks: a share and a cosine are both large only where they mean something.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

K1 = 1.2
B = 0.75
"""BM25's textbook values."""
NEIGHBOUR = 0.5
"""Weight of a word of the message before or after."""
DATE = 1.0
"""How often a word of a message's date counts as said in it."""
NAMED = 1.5
"""How much more it counts if the query names who speaks."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message as ranking sees it. `frequencies` are of the query's lexemes only; `length` is the
    number of its lexemes; `date` has those of the query's lexemes that name its day."""

    id: str
    conversation_id: str
    sequence: int
    author: str
    length: int
    frequencies: Mapping[str, int]
    date: frozenset[str] = frozenset()
    wanted: bool = True
    """False for one that the filters leave out: it only tells what its neighbours are about."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A message or a summary, its score, and the cosine by which it was found; 0 if by none."""

    id: str
    score: float
    similarity: float = 0.0


def ranked(
    turns: Sequence[Turn],
    weights: Mapping[str, float],
    cosines: Mapping[str, float],
    named: Collection[str],
) -> list[Scored]:
    """The wanted ones, the best first; the same inputs give the same order. `weights` are the
    inverse document frequencies of the query's lexemes, `cosines` those of the nearest vectors by
    message, `named` the authors whom the query names."""
    at = {(turn.conversation_id, turn.sequence): turn for turn in turns}
    talked = {turn.conversation_id for turn in turns if turn.author in named}
    # What has a word but is not among the nearest is no nearer than the last of them; of what has
    # neither, nothing speaks for being near at all.
    least = max(min(cosines.values(), default=0.0), 0.0)
    lexical = _Lexical(weights, turns)
    found = list[Scored]()
    for turn in turns:
        if not turn.wanted:
            continue
        places = ((turn.conversation_id, turn.sequence + step) for step in (-1, 1))
        near = [at[place] for place in places if place in at]
        cosine = cosines.get(turn.id, least if turn.frequencies else 0.0)
        score = lexical.share(turn, near) + max(cosine, 0.0)
        if turn.author in named:
            score *= NAMED
        elif named and turn.conversation_id not in talked:
            score /= NAMED
        similarity = round(cosines.get(turn.id, 0.0), 6)
        found.append(Scored(turn.id, round(score, 6), similarity))
    # Ids are ordered by time: among equals the later message comes first.
    return sorted(found, key=lambda each: (each.score, each.id), reverse=True)


class _Lexical:
    def __init__(self, weights: Mapping[str, float], turns: Sequence[Turn]) -> None:
        self._weights = weights
        self._total = sum(weights.values())
        mean = sum(turn.length for turn in turns) / max(len(turns), 1)
        self._mean = mean * (1 + 2 * NEIGHBOUR) or 1.0

    def share(self, turn: Turn, near: Sequence[Turn]) -> float:
        """BM25 of a message's document, as a share of the sum of all weights."""
        length = turn.length + NEIGHBOUR * sum(each.length for each in near)
        norm = K1 * (1 - B + B * length / self._mean)
        score = 0.0
        for lexeme, weight in self._weights.items():
            often = turn.frequencies.get(lexeme, 0) + DATE * (lexeme in turn.date)
            often += NEIGHBOUR * sum(each.frequencies.get(lexeme, 0) for each in near)
            score += weight * often * (K1 + 1) / (often + norm)
        return score / self._total if self._total else 0.0
