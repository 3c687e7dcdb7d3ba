"""How glad a text sounds, by VADER (Hutto and Gilbert, 2014): a lexicon of English. Pure."""

from collections.abc import Sequence
from functools import lru_cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

MOST_CHARACTERS = 2000
"""Of a text that are read: its beginning says how it is meant."""
SILENT = 0.8
"""If so many of the texts have no word of the lexicon, it is probably not their language."""


@lru_cache(maxsize=1)
def _analyzer() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


def score(text: str) -> float:
    """VADER's compound score: -1 (all bad) to 1 (all good), 0 where no word is known."""
    return float(_analyzer().polarity_scores(text[:MOST_CHARACTERS])["compound"])


def mostly_silent(scores: Sequence[float]) -> bool:
    """Whether too many of the scores say nothing."""
    return bool(scores) and sum(each == 0 for each in scores) / len(scores) >= SILENT
