"""How glad a text sounds, by VADER (Hutto and Gilbert, 2014): a lexicon of English. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

MOST_CHARACTERS, MOST_SYMBOLS = 1000, 50
"""Of a text that are read: its beginning says how it is meant. VADER makes words of each emoji, and
takes time by the square of them."""
SILENT = 0.8
"""If so many of the texts have no word of the lexicon, it is probably not their language."""


_REPEATED = re.compile(r"(.)\1{4,}", re.DOTALL)


@lru_cache(maxsize=1)
def _analyzer() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


def score(text: str) -> float:
    """VADER's compound score: -1 (all bad) to 1 (all good), 0 where no word is known."""
    return float(_analyzer().polarity_scores(_readable(text))["compound"])


def _readable(text: str) -> str:
    left, kept = MOST_SYMBOLS, list[str]()
    # Of a mark that is repeated VADER counts four at most.
    for character in _REPEATED.sub(r"\1\1\1\1", text[: 4 * MOST_CHARACTERS])[:MOST_CHARACTERS]:
        symbol = not character.isascii() and unicodedata.category(character) == "So"
        left -= symbol
        if not symbol or left >= 0:
            kept.append(character)
    return "".join(kept)


def mostly_silent(scores: Sequence[float]) -> bool:
    """Whether too many of the scores say nothing."""
    return bool(scores) and sum(each == 0 for each in scores) / len(scores) >= SILENT
