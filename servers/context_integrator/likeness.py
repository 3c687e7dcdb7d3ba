"""When texts say the same. Pure."""

from collections import defaultdict
from math import ceil

from servers.context_integrator.ranking import keywords, words_of

LEAST_WORDS = 6
"""Texts with fewer words that carry meaning are the same only if they are equal: one word more or
less makes another text of them."""
LIKENESS = 0.85
"""Share of common words (Jaccard index) from which on two texts count as nearly the same."""

ANYBODY = 0
"""Speaker of what is quoted: it is the same whoever said it."""


class Said:
    """Texts, each with a number for who says it."""

    def __init__(self) -> None:
        self._plain: dict[str, set[int]] = defaultdict(set)
        self._words: dict[int, list[tuple[int, frozenset[str]]]] = defaultdict(list)

    def add(self, speaker: int, text: str) -> None:
        """Adds a text."""
        self._plain[plain(text)].add(speaker)
        words = _words(speaker, text)
        if len(words) >= LEAST_WORDS:
            self._words[len(words)].append((speaker, words))

    def has(self, speaker: int, text: str) -> bool:
        """Whether the speaker said the same; or anybody, for what is quoted."""
        said = self._plain.get(plain(text), set())
        return bool(said) if speaker == ANYBODY else speaker in said

    def has_nearly(self, speaker: int, text: str) -> bool:
        """Whether the speaker said nearly the same; or anybody, for what is quoted."""
        words = _words(speaker, text)
        if len(words) < LEAST_WORDS:
            return False
        # Sets whose sizes differ by more cannot be that alike.
        sizes = range(ceil(LIKENESS * len(words)), int(len(words) / LIKENESS) + 1)
        return any(
            len(words & others) >= LIKENESS * len(words | others)
            for size in sizes
            for who, others in self._words.get(size, ())
            if speaker in (ANYBODY, who)
        )


def plain(text: str) -> str:
    """A text without what does not change what it says: case, white space, marks at its end."""
    return " ".join(text.casefold().split()).rstrip(".!?\u2026 ")


def _words(speaker: int, text: str) -> frozenset[str]:
    return words_of(text) if speaker == ANYBODY else keywords(text)
